"""Samples of the model in training: the config's at their interval, custom ones on command."""

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
from engine.builtin.config.train_config import SampleConfig
from engine.builtin.families.base import ModelFamily, OnStep
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.checkpoint import unused
from engine.builtin.training.loss_log import LossLog
from engine.builtin.training.previews import SamplePreview
from engine.builtin.training.session import Session
from engine.interface.callbacks import SampleOutput
from engine.interface.commands import TrainCommands
from engine.interface.files import written_beside
from engine.interface.json_types import JsonObject

MAX_SEED = 2**32
STOPPED = "A stop was requested before the sample was generated."
EXTENSIONS = {ImageFormat.PNG: "png", ImageFormat.JPG: "jpg"}


class SamplingStopped(Exception):
    """A stop was requested while a sample was generated."""


class Sampler:
    """Generates a run's samples with averaged weights; a sample that fails is a warning, and training continues."""

    def __init__(self, session: Session, log: LossLog, announcer: Announcer, commands: TrainCommands) -> None:
        self.session = session
        self.log = log
        self.announcer = announcer
        self.callbacks = announcer.callbacks
        self.commands = commands
        self.family = session.family

    def has_default(self) -> bool:
        return any(settings.enabled for settings in load_samples(self.session.config))

    def draw_default(self) -> list[str]:
        """Generate every enabled sample of the config; return the failures."""
        with self._between_steps():
            return self._draw_enabled()

    def draw_custom(self, settings: SampleConfig, command_id: str | None) -> list[str]:
        """Generate one sample on command; return the failures."""
        with self._between_steps():
            return self._draw(settings, "custom", 0, command_id)

    @contextmanager
    def _between_steps(self) -> Iterator[None]:
        with self.log.interrupted():
            self.announcer.say("Sampling ...", "sampling")
            with self.session.averaged():
                yield

    def _draw_enabled(self) -> list[str]:
        enabled = [pair for pair in enumerate(load_samples(self.session.config)) if pair[1].enabled]
        failures: list[str] = []
        for index, settings in enabled:
            if self.commands.stop_requested:
                return [*failures, STOPPED]
            failures += self._draw(settings, "default", index)
        return failures

    def _draw(self, settings: SampleConfig, kind: str, index: int, command_id: str | None = None) -> list[str]:
        seed = secrets.randbelow(MAX_SEED) if settings.random_seed else settings.seed
        facts = {**settings.to_dict(), "seed": seed}
        try:
            with evaluating(self.family), torch.random.fork_rng(devices=_cuda_devices(self.family)):
                picture = self.family.sample(settings, seed, self._on_step(kind))
            path = self._write(picture, settings, facts, kind, index)
        except SamplingStopped:
            return [STOPPED]
        except Exception as error:  # noqa: BLE001  whatever a pipeline raises, a sample must not end the training
            message = f"The sample “{settings.prompt[:60]}” could not be generated ({error}); training continues."
            self.callbacks.on_warning(message, traceback.format_exc())
            return [message]
        is_ema, progress = self.session.ema is not None, self.session.progress.to_dict()
        output = SampleOutput(str(path), kind, index, settings.prompt, facts, progress, is_ema, "image", command_id)
        (self.callbacks.on_sample_default if kind == "default" else self.callbacks.on_sample_custom)(output)
        return []

    def _on_step(self, kind: str) -> OnStep:
        names = {
            "default": self.callbacks.on_update_sample_default_progress,
            "custom": self.callbacks.on_update_sample_custom_progress,
        }

        preview = SamplePreview(Path(self.session.config.workspace_dir))

        def on_step(step: int, steps: int, draw: Callable[[], Image]) -> None:
            if self.commands.stop_requested:
                raise SamplingStopped
            names[kind](step, steps, preview.offer(draw))

        return on_step

    def _write(self, picture: Image, settings: SampleConfig, facts: JsonObject, kind: str, index: int) -> Path:
        config, progress = self.session.config, self.session.progress
        extension = "png" if kind == "custom" else EXTENSIONS[config.sample_image_format]
        folder = "custom" if kind == "custom" else f"{index} - {_safe(settings.prompt)}"
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-training-sample-{progress.filename_string()}.{extension}"
        path = unused(Path(config.workspace_dir) / "samples" / folder / name)
        text = json.dumps({**facts, **progress.to_dict(), "base_model": config.base_model_name})
        with written_beside(path) as beside:
            if extension == "png":
                info = PngInfo()
                info.add_itxt("parameters", text)
                picture.save(beside, "PNG", pnginfo=info)
            else:
                picture.save(beside, "JPEG", quality=95, comment=text.encode())
        return path


def _safe(prompt: str) -> str:
    """The first 32 characters of the prompt that are allowed in a file name."""
    return re.sub(r"[^\w ,.-]", "", prompt)[:32].strip(" .") or "no prompt"


def _cuda_devices(family: ModelFamily) -> list[int]:
    parameter = next(next(iter(family.parts.values())).parameters())
    return [parameter.device.index or 0] if parameter.device.type == "cuda" else []


@contextmanager
def evaluating(family: ModelFamily) -> Iterator[None]:
    """Turns dropout off inside the block, and restores each part after it."""
    was = {part: part.training for part in family.parts.values()}
    for part in was:
        part.eval()
    try:
        yield
    finally:
        for part, training in was.items():
            part.train(training)
