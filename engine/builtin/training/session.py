"""The state of a training: the model, its trained weights, and the progress."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.loader import BatchLoader
from engine.builtin.families.base import ModelFamily
from engine.builtin.training.ema import MovingAverage
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
    schedule: LambdaLR
    progress: TrainProgress = field(default_factory=TrainProgress)
    optimizer_steps: int = 0
    smooth_loss: float | None = None
    backed_up: int | None = None  # the step of the newest backup
    parameters: list[Parameter] = field(init=False)  # all trained weights

    def __post_init__(self) -> None:
        self.parameters = flat(self.trained)

    @property
    def holds_gradient(self) -> bool:
        """True within an accumulation, between two updates of the weights."""
        return self.progress.global_step % self.config.gradient_accumulation_steps != 0

    @property
    def ends_accumulation(self) -> bool:
        """True if the weights are updated after the current micro-batch."""
        return (self.progress.global_step + 1) % self.config.gradient_accumulation_steps == 0

    def averaged(self) -> AbstractContextManager[None]:
        """Inside the block the weights are their moving averages, if the config wants averages."""
        return self.ema.in_place() if self.ema else nullcontext()


def flat(trained: dict[str, list[Parameter]]) -> list[Parameter]:
    """The weights of all parts, in order."""
    return [weight for weights in trained.values() for weight in weights]
