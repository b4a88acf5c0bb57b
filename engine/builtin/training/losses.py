"""The loss of a prediction, with OneTrainer's meaning of each setting."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from engine.builtin.config.enums import LossWeight
from engine.builtin.config.scalers import scale
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import Prediction
from engine.builtin.families.precision import to_device
from engine.builtin.training.masking import Error, Masking

LARGEST_SNR = 1000.0  # of debiased estimation, against weights near zero


def batch_loss(
    config: TrainConfig, prediction: Prediction, concept_weight: Tensor, masking: Masking | None = None
) -> Tensor:
    """The mean loss of a batch, a scalar; `concept_weight` (batch,) is each picture's own weight."""
    per_item = _error(config, prediction, masking) * scale(config.loss_scaler, config)
    weights = to_device(concept_weight, per_item.device) * timestep_weight(config, prediction)
    return (per_item * weights).mean()


def timestep_weight(config: TrainConfig, prediction: Prediction) -> Tensor:
    """The weight of each item (batch,) by the signal-to-noise ratio of its timestep."""
    snr, strength = prediction.snr, config.loss_weight_strength
    shifted = snr + 1 if prediction.is_velocity else snr
    if config.loss_weight_fn is LossWeight.MIN_SNR_GAMMA:
        return min_snr_weight(snr, strength, prediction.is_velocity)
    if config.loss_weight_fn is LossWeight.DEBIASED_ESTIMATION:  # Yu et al., arXiv:2310.08442, equation 10
        return torch.rsqrt(torch.clamp(snr, max=LARGEST_SNR) + (1 if prediction.is_velocity else 0))
    if config.loss_weight_fn is LossWeight.P2:  # Choi et al., arXiv:2204.00227, equation 8 with k = 1
        return (1 + shifted) ** -strength
    return torch.ones_like(snr)


def min_snr_weight(snr: Tensor, gamma: float, is_velocity: bool) -> Tensor:
    """min(SNR, gamma) / SNR, for velocity / (SNR + 1): Hang et al., arXiv:2303.09556, sections 3.4 and 3.5."""
    if is_velocity:
        return torch.clamp(snr, max=gamma) / (snr + 1)
    return torch.clamp(gamma / snr, max=1)  # the same as in the paper, and 1 instead of 0 / 0 where the SNR is 0


def log_cosh(predicted: Tensor, target: Tensor) -> Tensor:
    """log(cosh(error)) of each element, without overflow of a large error."""
    error = predicted - target
    return error + functional.softplus(-2 * error) - math.log(2)


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
    huber = partial(functional.huber_loss, reduction="none", delta=config.huber_delta)
    return [
        (config.mse_strength, partial(functional.mse_loss, reduction="none")),
        (config.mae_strength, partial(functional.l1_loss, reduction="none")),
        (config.log_cosh_strength, log_cosh),
        (
            config.huber_strength,
            huber,
        ),
    ]
