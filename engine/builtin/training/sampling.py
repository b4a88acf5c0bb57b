"""Drawing samples while training: default ones at their interval, custom ones on command."""

from __future__ import annotations

import json
import re
import secrets
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import torch
from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo

from engine.builtin.config.enums import ImageFormat
from engine.builtin.config.lists import load_samples
from engine.builtin.config.train_config import SampleConfig, TrainConfig
from engine.builtin.families.base import ModelFamily, OnStep
from engine.builtin.training.checkpoint import unused
from engine.builtin.training.previews import Preview
from engine.interface.callbacks import SampleOutput, TrainCallbacks
from engine.interface.commands import TrainCommands
from engine.interface.files import written_beside
from engine.interface.progress import TrainProgress

MAX_SEED = 2**32
STOPPED = "A stop was asked for before it was drawn."
EXTENSIONS = {ImageFormat.PNG: "png", ImageFormat.JPG: "jpg"}


class SamplingStopped(Exception):
    """A stop was asked for while a sample was drawn."""


class Sampler:
    """Draws a run's samples; one that fails is a warning, and training goes on."""

    def __init__(self, config: TrainConfig, family: ModelFamily, callbacks: TrainCallbacks, commands: TrainCommands):
        self.config = config
        self.family = family
        self.callbacks = callbacks
        self.commands = commands

    def draw_default(self, progress: TrainProgress) -> list[str]:
        """Draw every enabled sample of the config; return what went wrong."""
        enabled = [pair for pair in enumerate(load_samples(self.config)) if pair[1].enabled]
        failures: list[str] = []
        for index, settings in enabled:
            if self.commands.stop_requested:
                return [*failures, STOPPED]
            failures += self._draw(settings, progress, "default", index)
        return failures

    def draw_custom(self, settings: SampleConfig, progress: TrainProgress, command_id: str | None) -> list[str]:
        """Draw one sample on command; return what went wrong."""
        return self._draw(settings, progress, "custom", 0, command_id)

    def _draw(
        self, settings: SampleConfig, progress: TrainProgress, kind: str, index: int, command_id: str | None = None
    ) -> list[str]:
        seed = secrets.randbelow(MAX_SEED) if settings.random_seed else settings.seed
        facts = {**settings.to_dict(), "seed": seed}
        try:
            with evaluating(self.family), torch.random.fork_rng(devices=_cuda_devices(self.family)):
                picture = self.family.sample(settings, seed, self._on_step(kind))
            path = self._write(picture, settings, facts, progress, kind, index)
        except SamplingStopped:
            return [STOPPED]
        except Exception as error:  # noqa: BLE001  whatever a pipeline raises, a sample must not end the training
            message = f"The sample “{settings.prompt[:60]}” could not be drawn ({error}); training goes on."
            self.callbacks.on_warning(message, traceback.format_exc())
            return [message]
        is_ema = self.config.ema.value != "OFF"
        output = SampleOutput(
            str(path), kind, index, settings.prompt, facts, progress.to_dict(), is_ema, "image", command_id
        )
        (self.callbacks.on_sample_default if kind == "default" else self.callbacks.on_sample_custom)(output)
        return []

    def _on_step(self, kind: str) -> OnStep:
        names = {
            "default": self.callbacks.on_update_sample_default_progress,
            "custom": self.callbacks.on_update_sample_custom_progress,
        }

        preview = Preview(Path(self.config.workspace_dir))

        def on_step(step: int, steps: int, draw: Callable[[], Image]) -> None:
            if self.commands.stop_requested:
                raise SamplingStopped
            names[kind](step, steps, preview.offer(draw))

        return on_step

    def _write(
        self, picture: Image, settings: SampleConfig, facts: dict, progress: TrainProgress, kind: str, index: int
    ) -> Path:
        extension = "png" if kind == "custom" else EXTENSIONS[self.config.sample_image_format]
        folder = "custom" if kind == "custom" else f"{index} - {_safe(settings.prompt)}"
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-training-sample-{progress.filename_string()}.{extension}"
        path = unused(Path(self.config.workspace_dir) / "samples" / folder / name)
        text = json.dumps({**facts, **progress.to_dict(), "base_model": self.config.base_model_name})
        with written_beside(path) as beside:
            if extension == "png":
                info = PngInfo()
                info.add_itxt("parameters", text)
                picture.save(beside, "PNG", pnginfo=info)
            else:
                picture.save(beside, "JPEG", quality=95, comment=text.encode())
        return path


def _safe(prompt: str) -> str:
    """The prompt's first 32 characters that a file name may hold."""
    return re.sub(r"[^\w ,.-]", "", prompt)[:32].strip(" .") or "no prompt"


def _cuda_devices(family: ModelFamily) -> list[int]:
    parameter = next(next(iter(family.parts.values())).parameters())
    return [parameter.device.index or 0] if parameter.device.type == "cuda" else []


@contextmanager
def evaluating(family: ModelFamily) -> Iterator[None]:
    """Dropout is off inside the block; each part is as it was after it."""
    was = {part: part.training for part in family.parts.values()}
    for part in was:
        part.eval()
    try:
        yield
    finally:
        for part, training in was.items():
            part.train(training)
