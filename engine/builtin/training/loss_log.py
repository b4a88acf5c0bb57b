"""The loss and learning rates of each step, reported as metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.builtin.families.precision import peak_memory
from engine.builtin.training.optimizers import rates
from engine.builtin.training.session import Session
from engine.interface.callbacks import TrainCallbacks
from engine.interface.errors import NotFinite

SMOOTHING = 0.99  # of smooth_loss, which halves the weight of a step after 70 steps
LOG_SECONDS = 1.0  # how long losses stay on the device; reading one waits for the GPU


class LossLog:
    """Holds the losses of the last interval on the device, and reads them in one wait."""

    def __init__(self, session: Session, callbacks: TrainCallbacks) -> None:
        self.session = session
        self.callbacks = callbacks
        self._losses: list[Tensor] = []
        self._rates: list[list[tuple[str, float]]] = []
        self._first_step = session.progress.global_step
        self._read_at = time.monotonic()
        self._largest: float | None = None  # of the losses that were read in this attempt

    @property
    def is_void(self) -> bool:
        """True if there were losses and all were exactly 0, so that none had a gradient."""
        return self._largest == 0

    def go_on(self) -> None:
        """Measure speed from now on: the pause between two steps does not count."""
        self._read_at = time.monotonic()

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """Report the held losses before the block, and keep the block's time out of the speed."""
        self.flush()
        yield
        self.go_on()

    def take(self, loss: Tensor) -> None:
        self._losses.append(loss)  # stays on the device
        self._rates.append(rates(self.session.optimizer))
        if time.monotonic() - self._read_at >= LOG_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Report the held losses. Raises NotFinite."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        self._largest = max(self._largest or 0.0, *map(abs, losses))
        speed = len(losses) / max(1e-6, time.monotonic() - self._read_at)
        steps, learning_rates = range(self._first_step, self._first_step + len(losses)), self._rates
        self._losses, self._rates = [], []
        self._first_step, self._read_at = steps.stop, time.monotonic()
        peak = peak_memory(self.session.device, self.session.memory_before)
        for step, loss, part_rates in zip(steps, losses, learning_rates, strict=True):
            if not math.isfinite(loss):
                raise NotFinite(
                    f"The loss became {loss} at step {step}: lower the learning rate, or train in FLOAT_32 or "
                    "BFLOAT_16, and resume from the last backup."
                )
            self._report(step, loss, part_rates, speed, peak)

    def _report(self, step: int, loss: float, part_rates: list[tuple[str, float]], speed: float, peak: int) -> None:
        session = self.session
        before = loss if session.smooth_loss is None else session.smooth_loss
        session.smooth_loss = SMOOTHING * before + (1 - SMOOTHING) * loss
        values = {"loss": loss, "smooth_loss": session.smooth_loss, "steps_per_second": speed}
        values |= {f"lr/{name}": rate for name, rate in part_rates}
        if session.ema:
            values["ema_decay"] = session.ema.current_decay
        if session.device.type == "cuda":
            values["gpu_memory_gb"] = torch.cuda.max_memory_allocated(session.device) / 1024**3
        values["peak_memory_gb"] = peak / 1024**3
        self.callbacks.on_metrics(step, values)
