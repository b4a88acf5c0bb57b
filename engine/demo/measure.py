"""Measure how well the demo's model generates stars: `python -m engine.demo.measure [--lora FILE] [--grid PNG]`.

Samples "a COLOUR star on BACKGROUND background" in each of the six colours with plain diffusers, judges each picture by
its outline (stars.py), and prints how many show a star, and how many a star of the requested colour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError

from engine.demo.shapes import BACKGROUNDS, COLOURS, SIZE, STAR, Figure
from engine.demo.stars import Verdict, judge

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

MODEL = Path(__file__).parent / "model"
SEEDS = (1, 2, 3, 4)
STEPS = 20  # these two as in the demo run's own samples
GUIDANCE = 3.0
FRAME = 2  # pixels around a picture of the grid, green if it shows the requested star
GAP = 16


class Unusable(Exception):
    """The model or the LoRA cannot be measured; the message says what to do."""


@dataclass(frozen=True)
class Prompt:
    """The requested picture."""

    colour: str
    background: str
    seed: int

    @property
    def text(self) -> str:
        return Figure(STAR, self.colour, self.background).caption


@dataclass(frozen=True)
class MeasuredPicture:
    """A generated picture, and the verdict on it."""

    prompt: Prompt
    picture: Image.Image
    verdict: Verdict

    @property
    def is_as_requested(self) -> bool:
        return self.verdict.is_star and self.verdict.colour == self.prompt.colour


def make_prompts(seeds: Sequence[int]) -> list[Prompt]:
    """Each colour with each seed; the backgrounds alternate."""
    backgrounds = list(BACKGROUNDS)
    pairs = [(colour, seed) for colour in COLOURS for seed in seeds]
    return [Prompt(colour, backgrounds[number % len(backgrounds)], seed) for number, (colour, seed) in enumerate(pairs)]


def load_model(folder: Path) -> StableDiffusionPipeline:
    """Raises Unusable."""
    from diffusers import StableDiffusionPipeline  # takes seconds, and is not needed to refuse a missing file

    if not (folder / "model_index.json").is_file():
        raise Unusable(f"There is no model in {folder}: enter a folder in diffusers' layout with --model.")
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise Unusable(f"The model in {folder} cannot be loaded ({_first_line(error)}): choose another.") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def load_lora(pipeline: StableDiffusionPipeline, file: Path) -> None:
    """Raises Unusable, also if the file has no weights for any layer of the model."""
    try:
        pipeline.load_lora_weights(file)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise Unusable(f"{file} is not a LoRA for this model ({_first_line(error)}): choose another.") from error
    if not pipeline.get_list_adapters():
        raise Unusable(f"{file} has no LoRA for this model: choose another.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".:")


def sample(pipeline: StableDiffusionPipeline, prompts: Sequence[Prompt], steps: int = STEPS) -> list[MeasuredPicture]:
    """Generate and judge each prompt; the noise comes from the prompt's own seed."""
    drawn = pipeline(
        prompt=[prompt.text for prompt in prompts],
        width=SIZE,
        height=SIZE,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        generator=[torch.Generator().manual_seed(prompt.seed) for prompt in prompts],
    ).images
    return [MeasuredPicture(prompt, picture, judge(picture)) for prompt, picture in zip(prompts, drawn, strict=True)]


def measure(pipeline: StableDiffusionPipeline, seeds: Sequence[int], steps: int = STEPS) -> list[MeasuredPicture]:
    """Sample every prompt, one seed's colours at a time, so that memory does not grow with the number of seeds."""
    prompts = make_prompts(seeds)
    by_seed = [[prompt for prompt in prompts if prompt.seed == seed] for seed in dict.fromkeys(seeds)]
    return [result for group in by_seed for result in sample(pipeline, group, steps)]


def report(columns: dict[str, list[MeasuredPicture]]) -> str:
    """A table: the six colours below each other, and for each column how many stars, and stars of that colour."""
    lines = ["".join([" " * 10, *(f"{title:<26}" for title in columns)])]
    lines.append("".join([f"{'colour':<10}", *(f"{'stars':<11}{'as requested':<15}" for _ in columns)]))
    for colour in COLOURS:
        of_colour = [[result for result in results if result.prompt.colour == colour] for results in columns.values()]
        lines.append(_row(colour, of_colour))
    lines.append(_row("all", columns.values()))
    return "\n".join(line.rstrip() for line in lines)


def _row(title: str, columns: Iterable[list[MeasuredPicture]]) -> str:
    cells = [f"{title:<10}"]
    for results in columns:
        stars = sum(result.verdict.is_star for result in results)
        as_requested = sum(result.is_as_requested for result in results)
        cells.append(f"{_share(stars, len(results)):<11}{_share(as_requested, len(results)):<15}")
    return "".join(cells)


def _share(count: int, total: int) -> str:
    return f"{count}/{total} {count / total:.0%}"


def make_grid(columns: dict[str, list[MeasuredPicture]]) -> Image.Image:
    """One block of pictures a column: a row per colour, a picture per seed, framed green if it shows the request."""
    blocks = [_make_block(results) for results in columns.values()]
    width = sum(block.width for block in blocks) + GAP * (len(blocks) - 1)
    grid = Image.new("RGB", (width, blocks[0].height), "white")
    x = 0
    for block in blocks:
        grid.paste(block, (x, 0))
        x += block.width + GAP
    return grid


def _make_block(results: list[MeasuredPicture]) -> Image.Image:
    side = SIZE + 2 * FRAME
    rows = [[result for result in results if result.prompt.colour == colour] for colour in COLOURS]
    block = Image.new("RGB", (side * len(rows[0]), side * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, result in enumerate(row):
            colour = "limegreen" if result.is_as_requested else "lightgray"
            block.paste(ImageOps.expand(result.picture, FRAME, colour), (x * side, y * side))
    return block


def run(model: Path, lora: Path | None, seeds: Sequence[int], grid: Path | None, steps: int = STEPS) -> str:
    """Measure, write the grid, and return the table. Raises Unusable."""
    if lora and not (lora.suffix == ".safetensors" and lora.is_file()):
        raise Unusable(f"There is no LoRA {lora}: enter a .safetensors file with --lora.")
    if grid and not grid.absolute().parent.is_dir():
        raise Unusable(f"There is no folder {grid.absolute().parent} for the grid: create it first.")
    pipeline = load_model(model)
    columns = {"without a LoRA": measure(pipeline, seeds, steps)}
    if lora:
        load_lora(pipeline, lora)
        columns[f"with {lora.name}"[:24]] = measure(pipeline, seeds, steps)
    if grid:
        _write(make_grid(columns), grid)
    return report(columns)


def _write(grid: Image.Image, file: Path) -> None:
    try:
        grid.save(file, "PNG")
    except OSError as error:
        raise Unusable(f"The grid cannot be written to {file} ({error.strerror}): choose another file.") from error


def _say_no_more_than_the_table() -> None:
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.demo.measure", description=__doc__.splitlines()[0])
    parser.add_argument("--lora", type=Path, help="a trained LoRA (.safetensors): measured beside the model alone")
    parser.add_argument("--model", type=Path, default=MODEL, help="a folder in diffusers' layout (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="one picture a colour for each")
    parser.add_argument("--steps", type=int, default=STEPS, help="denoising steps of each picture (%(default)s)")
    parser.add_argument("--grid", type=Path, metavar="PNG", help="write all pictures into this file")
    options = parser.parse_args(arguments)
    _say_no_more_than_the_table()
    try:
        sys.stdout.write(run(options.model, options.lora, options.seeds, options.grid, options.steps) + "\n")
    except Unusable as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
