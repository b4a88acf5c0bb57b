"""How much each place of a prediction counts in masked training, with OneTrainer's meaning of each setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import Prediction

Error = Callable[[Tensor, Tensor], Tensor]  # of each element of two tensors


@dataclass(frozen=True)
class Masking:
    """`mask` (batch, 1, height, width) in [0, 1]; `prior` is what the untrained model predicts, if that counts.

    An inpainting model has `weighs` False, because it must learn the whole picture: as in OneTrainer its loss is only
    normalized by the mask.
    """

    config: TrainConfig
    mask: Tensor
    prior: Tensor | None = None
    weighs: bool = True

    def weighted(self, error: Error, prediction: Prediction) -> Tensor:
        """The errors (batch, channels, height, width), each as much as it counts.

        Outside the mask they count `unmasked_weight`, and the difference to the prior as much as is left of 1.
        """
        counts = torch.clamp(self.mask, self.config.unmasked_weight, 1)
        masked = self._times(error(prediction.predicted, prediction.target), counts)
        if self.prior is None or not self.weighs:
            return masked
        kept = self._times(error(prediction.predicted, self.prior), 1 - counts)
        return masked + kept * self.config.masked_prior_preservation_weight

    def _times(self, errors: Tensor, counts: Tensor) -> Tensor:
        """Normalized, the mean is the same whatever area is masked; where no place counts, it stays 0."""
        weighted = errors * counts if self.weighs else errors
        if not self.config.normalize_masked_area_loss:
            return weighted
        area = counts.mean(dim=(1, 2, 3), keepdim=True)
        return weighted / torch.where(area > 0, area, 1)
