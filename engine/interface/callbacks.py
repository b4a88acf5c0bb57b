"""The callbacks by which a training reports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from engine.interface.commands import Command
from engine.interface.json_types import JsonObject
from engine.interface.progress import TrainProgress

logger = logging.getLogger("engine")

NAMES = (
    "on_update_train_progress",
    "on_update_status",
    "on_sample_default",
    "on_update_sample_default_progress",
    "on_sample_custom",
    "on_update_sample_custom_progress",
    "on_phase",
    "on_phase_progress",
    "on_metrics",
    "on_artifact",
    "on_removed",
    "on_warning",
    "on_command_done",
    "on_command_refused",
)


@dataclass
class SampleOutput:
    """One finished picture: the file is whole before the callback is called."""

    path: str
    kind: str
    index: int
    prompt: str
    settings: JsonObject
    progress: dict[str, int]
    is_ema: bool = False
    file_type: str = "image"
    command_id: str | None = None

    def to_dict(self) -> JsonObject:
        return asdict(self)


class TrainCallbacks:
    """OneTrainer's six callbacks under their own names, and the callbacks that its interface lacks.

    A callback that raises is logged with its traceback, and training continues: a listener must not end a run.
    """

    def __init__(self, **callbacks: Callable[..., None]) -> None:
        unknown = set(callbacks) - set(NAMES)
        if unknown:
            raise TypeError(f"There is no callback {', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}.")
        self._callbacks = callbacks

    def __getattr__(self, name: str) -> Callable[[Callable[..., None]], None]:
        """`set_on_...` for each callback, as OneTrainer has them."""
        target = name.removeprefix("set_")
        if name.startswith("set_") and target in NAMES:
            return partial(self._callbacks.__setitem__, target)
        raise AttributeError(name)

    def _call(self, name: str, *args: object, **kwargs: object) -> None:
        callback = self._callbacks.get(name)
        if callback is None:
            return
        try:
            callback(*args, **kwargs)
        except Exception:
            logger.exception("The callback %s failed; training continues.", name)

    def on_update_train_progress(self, train_progress: TrainProgress, max_step: int, max_epoch: int) -> None:
        """After each micro-batch and at each epoch's end; `max_step` is micro-batches per epoch."""
        self._call("on_update_train_progress", train_progress, max_step, max_epoch)

    def on_update_status(self, status: str) -> None:
        """A short text such as `Training ...`."""
        self._call("on_update_status", status)

    def on_sample_default(self, output: SampleOutput) -> None:
        self._call("on_sample_default", output)

    def on_update_sample_default_progress(self, step: int, max_step: int, preview: str = "") -> None:
        """After each denoising step of a default sample; `preview` is a file that shows the sample's present state."""
        self._call("on_update_sample_default_progress", step, max_step, *filter(None, [preview]))

    def on_sample_custom(self, output: SampleOutput) -> None:
        self._call("on_sample_custom", output)

    def on_update_sample_custom_progress(self, step: int, max_step: int, preview: str = "") -> None:
        """The same for a custom sample."""
        self._call("on_update_sample_custom_progress", step, max_step, *filter(None, [preview]))

    def on_phase(self, phase: str) -> None:
        """One of loading, caching, training, paused, sampling, saving, backup, stopping."""
        self._call("on_phase", phase)

    def on_phase_progress(self, phase: str, current: int, total: int) -> None:
        """How far a phase without steps has come, such as 12 of 20 pictures cached."""
        self._call("on_phase_progress", phase, current, total)

    def on_metrics(self, step: int, values: dict[str, float]) -> None:
        """Scalars by tag (`loss`, `lr/unet`, ...) of one global step."""
        self._call("on_metrics", step, values)

    def on_artifact(self, kind: str, path: str | Path, progress: TrainProgress, **facts: object) -> None:
        """A whole backup, save or final model (`kind` is backup, save or model) is at `path`.

        The fact `earlier` is the new path of the file that was at `path` before.
        """
        self._call("on_artifact", kind, path, progress, **facts)

    def on_removed(self, path: str | Path, why: str) -> None:
        """A reported backup has been removed."""
        self._call("on_removed", path, why)

    def on_warning(self, message: str, detail: str = "") -> None:
        """A problem that does not end the training; `detail` may hold a traceback."""
        self._call("on_warning", message, detail)

    def on_command_done(self, command: Command, detail: str = "") -> None:
        self._call("on_command_done", command, detail)

    def on_command_refused(self, command: Command, reason: str) -> None:
        self._call("on_command_refused", command, reason)
