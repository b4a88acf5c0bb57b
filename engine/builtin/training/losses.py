"""The loss of a prediction."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.builtin.config.enums import LossWeight
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import Prediction
from engine.builtin.families.precision import to_device
from engine.builtin.training.masking import Error, Masking


def batch_loss(
    config: TrainConfig, prediction: Prediction, concept_weight: Tensor, masking: Masking | None = None
) -> Tensor:
    """The mean loss of a batch, a scalar; `concept_weight` (batch,) is each picture's own weight."""
    per_item = _error(config, prediction, masking)
    if config.loss_weight_fn is LossWeight.MIN_SNR_GAMMA:
        per_item = per_item * min_snr_weight(prediction.snr, config.loss_weight_strength, prediction.is_velocity)
    return (per_item * to_device(concept_weight, per_item.device)).mean()


def min_snr_weight(snr: Tensor, gamma: float, is_velocity: bool) -> Tensor:
    """min(SNR, gamma) / SNR, for velocity / (SNR + 1): Hang et al., arXiv:2303.09556, sections 3.4 and 3.5."""
    if is_velocity:
        return torch.clamp(snr, max=gamma) / (snr + 1)
    return torch.clamp(gamma / snr, max=1)  # the same as in the paper, and 1 instead of 0 / 0 where the SNR is 0


def _error(config: TrainConfig, prediction: Prediction, masking: Masking | None) -> Tensor:
    """The weighted sum of the chosen errors, each a mean over all dimensions but the batch: (batch,)."""
    errors = [
        strength * _errors(error, prediction, masking).flatten(1).mean(dim=1)
        for strength, error in _kinds(config)
        if strength
    ]
    return torch.stack(errors).sum(dim=0)


def _errors(error: Error, prediction: Prediction, masking: Masking | None) -> Tensor:
    """Each element's error, (batch, channels, height, width)."""
    return masking.weighted(error, prediction) if masking else error(prediction.predicted, prediction.target)


def _kinds(config: TrainConfig) -> list[tuple[float, Error]]:
    """The strength of each kind of error, and its value for each element."""
    delta = config.huber_delta
    return [
        (config.mse_strength, lambda ours, theirs: functional.mse_loss(ours, theirs, reduction="none")),
        (config.mae_strength, lambda ours, theirs: functional.l1_loss(ours, theirs, reduction="none")),
        (
            config.huber_strength,
            lambda ours, theirs: functional.huber_loss(ours, theirs, reduction="none", delta=delta),
        ),
    ]
