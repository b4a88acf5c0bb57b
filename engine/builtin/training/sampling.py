"""Samples of the model in training: the config's at their interval, custom ones on command."""

from __future__ import annotations

import json
import re
import secrets
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
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
WITHOUT_EMA = " - no-ema"  # the end of a folder's name, as OneTrainer writes it
STOPPED = "A stop was requested before the sample was generated."
EXTENSIONS = {ImageFormat.PNG: "png", ImageFormat.JPG: "jpg"}


@dataclass(frozen=True)
class Place:
    """Where a sample belongs: `default` or `custom`, its number in the config, and whether averages generate it."""

    kind: str
    index: int
    is_ema: bool


class SamplingStopped(Exception):
    """A stop was requested while a sample was generated."""


class Sampler:
    """Generates a run's samples; a sample that fails is a warning, and training continues.

    With averaged weights, the config's samples are also generated without them if `non_ema_sampling` is on.
    """

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
            failures = self._draw_enabled(is_ema=self.session.ema is not None)
            if self.session.ema and self.session.config.non_ema_sampling:
                failures += self._draw_enabled(is_ema=False)
        return list(dict.fromkeys(failures))

    def draw_custom(self, settings: SampleConfig, command_id: str | None) -> list[str]:
        """Generate one sample on command; return the failures."""
        with self._between_steps(), self.session.averaged():
            return self._draw(settings, Place("custom", 0, self.session.ema is not None), command_id)

    @contextmanager
    def _between_steps(self) -> Iterator[None]:
        with self.log.interrupted():
            self.announcer.say("Sampling ...", "sampling")
            yield

    def _draw_enabled(self, is_ema: bool) -> list[str]:
        enabled = [pair for pair in enumerate(load_samples(self.session.config)) if pair[1].enabled]
        failures: list[str] = []
        with self.session.averaged() if is_ema else nullcontext():
            for index, settings in enabled:
                if self.commands.stop_requested:
                    return [*failures, STOPPED]
                failures += self._draw(settings, Place("default", index, is_ema))
        return failures

    def _draw(self, settings: SampleConfig, place: Place, command_id: str | None = None) -> list[str]:
        seed = secrets.randbelow(MAX_SEED) if settings.random_seed else settings.seed
        facts = {**settings.to_dict(), "seed": seed}
        try:
            with evaluating(self.family), torch.random.fork_rng(devices=_cuda_devices(self.family)):
                picture = self.family.sample(settings, seed, self._on_step(place.kind))
            path = self._write(picture, settings, facts, place)
        except SamplingStopped:
            return [STOPPED]
        except Exception as error:  # noqa: BLE001  whatever a pipeline raises, a sample must not end the training
            message = f"The sample “{settings.prompt[:60]}” could not be generated ({error}); training continues."
            self.callbacks.on_warning(message, traceback.format_exc())
            return [message]
        kind, index, is_ema = place.kind, place.index, place.is_ema
        progress = self.session.progress.to_dict()
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

    def _write(self, picture: Image, settings: SampleConfig, facts: JsonObject, place: Place) -> Path:
        config, progress = self.session.config, self.session.progress
        is_custom = place.kind == "custom"
        extension = "png" if is_custom else EXTENSIONS[config.sample_image_format]
        without = WITHOUT_EMA if self.session.ema and not place.is_ema else ""
        folder = "custom" if is_custom else f"{place.index} - {_safe(settings.prompt)}{without}"
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
