"""What each step came to, told as metrics."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.builtin.families.precision import peak_memory
from engine.builtin.training.optimizers import rates
from engine.interface.errors import NotFinite

if TYPE_CHECKING:
    from engine.builtin.trainer import GenericTrainer

SMOOTHING = 0.99  # of smooth_loss, which forgets half of a step after 70 steps
LOG_SECONDS = 1.0  # how long losses stay on the device; reading one waits for the GPU


class LossLog:
    """Holds the losses of the last interval on the device, and reads them in one wait."""

    def __init__(self, trainer: GenericTrainer):
        self.trainer = trainer
        self.smooth_loss: float | None = None
        self._losses: list[Tensor] = []
        self._rates: list[list[tuple[str, float]]] = []
        self._first_step = 0
        self._read_at = 0.0

    def begin(self) -> None:
        """From the trainer's present step on."""
        self._first_step = self.trainer.progress.global_step
        self.go_on()

    def go_on(self) -> None:
        """After what came between two steps, which is no part of their speed."""
        self._read_at = time.monotonic()

    def take(self, loss: Tensor) -> None:
        self._losses.append(loss)  # stays on the device
        self._rates.append(list(rates(self.trainer.optimizer)))
        if time.monotonic() - self._read_at >= LOG_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what was held; raises NotFinite."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        speed = len(losses) / max(1e-6, time.monotonic() - self._read_at)
        steps, learning_rates = range(self._first_step, self._first_step + len(losses)), self._rates
        self._losses, self._rates = [], []
        self._first_step, self._read_at = steps.stop, time.monotonic()
        peak = peak_memory(self.trainer.device, self.trainer.memory_before)
        for step, loss, part_rates in zip(steps, losses, learning_rates, strict=True):
            if not math.isfinite(loss):
                raise NotFinite(
                    f"The loss became {loss} at step {step}: lower the learning rate, or train in FLOAT_32 or "
                    "BFLOAT_16, and continue from the last backup."
                )
            self._tell(step, loss, part_rates, speed, peak)

    def _tell(self, step: int, loss: float, part_rates: list[tuple[str, float]], speed: float, peak: int) -> None:
        trainer = self.trainer
        before = loss if self.smooth_loss is None else self.smooth_loss
        self.smooth_loss = SMOOTHING * before + (1 - SMOOTHING) * loss
        values = {"loss": loss, "smooth_loss": self.smooth_loss, "steps_per_second": speed}
        values |= {f"lr/{name}": rate for name, rate in part_rates}
        if trainer.ema:
            values["ema_decay"] = trainer.ema.current_decay
        if trainer.device.type == "cuda":
            values["gpu_memory_gb"] = torch.cuda.max_memory_allocated(trainer.device) / 1024**3
        values["peak_memory_gb"] = peak / 1024**3
        trainer.callbacks.on_metrics(step, values)
