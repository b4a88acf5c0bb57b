"""An exponential moving average of the trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter


class MovingAverage:
    """Averages `parameters`; the decay grows to `decay` over the first updates, because the first weights are few."""

    def __init__(self, parameters: list[Parameter], decay: float, interval: int, device: torch.device) -> None:
        self.parameters = parameters
        self.decay = decay
        self.interval = interval
        self.optimizer_steps = 0
        self.averages = [weight.detach().to(device, torch.float32, copy=True) for weight in parameters]

    @property
    def current_decay(self) -> float:
        """min(decay, (1 + n) / (10 + n)), TensorFlow's formula; n are the earlier optimizer steps, as in OneTrainer.

        So with an interval the decay grows faster than the number of averages.
        """
        earlier = max(0, self.optimizer_steps - 1)
        return min(self.decay, (1 + earlier) / (10 + earlier))

    @torch.no_grad()
    def update(self, optimizer_steps: int) -> None:
        """Call after each optimizer step; a part whose training has been stopped keeps its averages."""
        self.optimizer_steps = optimizer_steps
        if optimizer_steps % self.interval:
            return
        for average, weight in zip(self.averages, self.parameters, strict=True):
            if weight.requires_grad:
                average.lerp_(weight.detach().to(average.device, torch.float32), 1 - self.current_decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters hold the averages inside the block, and their own values again after it."""
        own = [weight.detach().clone() for weight in self.parameters]
        self._set(self.averages)
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for weight, value in zip(self.parameters, values, strict=True):
            weight.copy_(value)

    @torch.no_grad()
    def begin_anew(self) -> None:
        """Begin the averages with the present weights."""
        for average, weight in zip(self.averages, self.parameters, strict=True):
            average.copy_(weight)

    def state_dict(self) -> dict[str, Tensor]:
        return {f"{i:05}": value for i, value in enumerate(self.averages)}

    def load_state_dict(self, state: dict[str, Tensor], optimizer_steps: int) -> None:
        self.optimizer_steps = optimizer_steps
        for index, average in enumerate(self.averages):
            average.copy_(state[f"{index:05}"])
