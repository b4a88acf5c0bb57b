"""The state of a training: the model, its trained weights, and the progress."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.loader import BatchLoader
from engine.builtin.families.base import ModelFamily
from engine.builtin.training.ema import MovingAverage
from engine.builtin.training.schedules import Length, resume_schedule
from engine.interface.progress import TrainProgress


@dataclass
class Session:
    """One training, loaded and ready for its next step.

    `trained` are the trained weights by part, in an order that is the same in every attempt. `dtype` is the format to
    compute in. `memory_before` is the device's peak memory in bytes before the model was loaded.
    """

    config: TrainConfig
    device: torch.device
    dtype: torch.dtype
    memory_before: int
    family: ModelFamily
    trained: dict[str, list[Parameter]]
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    ema: MovingAverage | None
    loader: BatchLoader
    schedule: LRScheduler
    progress: TrainProgress = field(default_factory=TrainProgress)
    optimizer_steps: int = 0
    accumulated: int = 0  # micro-batches since the last update of the weights
    smooth_loss: float | None = None
    backed_up: int | None = None  # the step of the newest backup
    newest_backup: Path | None = None
    started_at: float = field(default_factory=time.time)  # seconds since 1970, of this attempt
    started: float = field(default_factory=time.monotonic)  # the same moment by a clock that nobody sets
    parameters: list[Parameter] = field(init=False)  # all trained weights

    def __post_init__(self) -> None:
        self.parameters = flat(self.trained)

    @property
    def holds_gradient(self) -> bool:
        """True within an accumulation, between two updates of the weights."""
        return self.accumulated > 0

    @property
    def ends_accumulation(self) -> bool:
        """True if the weights are to be updated with the gradients so far."""
        return self.accumulated >= self.config.gradient_accumulation_steps

    @property
    def steps_to_come(self) -> int:
        """Micro-batches that are left to train."""
        whole_epochs = max(0, self.config.epochs - self.progress.epoch)
        return max(0, whole_epochs * len(self.loader) - self.progress.epoch_step)

    @property
    def updates_to_come(self) -> int:
        """Updates of the weights that are left; as in OneTrainer, an accumulation goes on across epochs."""
        return (self.accumulated + self.steps_to_come) // self.config.gradient_accumulation_steps

    @property
    def unused_steps(self) -> int:
        """Micro-batches at the end of the run that fill no accumulation, so that no update uses their gradients."""
        return (self.accumulated + self.steps_to_come) % self.config.gradient_accumulation_steps

    def lay_out_schedule(self) -> None:
        """Make the schedule's course end with the last update that will come, and set the present learning rates."""
        length = Length(len(self.loader), self.optimizer_steps + self.updates_to_come)
        self.schedule = resume_schedule(self.config, self.optimizer, length, self.optimizer_steps)

    @property
    def is_backed_up(self) -> bool:
        """True if a backup of the present step exists."""
        path = self.newest_backup
        return self.backed_up == self.progress.global_step and path is not None and path.exists()

    @property
    def seconds(self) -> float:
        """Seconds since this process began to train."""
        return time.monotonic() - self.started

    @property
    def is_stopped(self) -> bool:
        """True if the training of every part was stopped by its own setting."""
        return not any(weight.requires_grad for weight in self.parameters)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside the block the weights are their moving averages, if the config wants averages."""
        return self.ema.in_place() if self.ema else nullcontext()


def flat(trained: dict[str, list[Parameter]]) -> list[Parameter]:
    """The weights of all parts, in order."""
    return [weight for weights in trained.values() for weight in weights]
