"""The factors by which a config scales its loss and its learning rate."""

from __future__ import annotations

from enum import StrEnum

from engine.builtin.config.train_config import TrainConfig


def scale(scaler: StrEnum, config: TrainConfig) -> int:
    """Batch size, accumulation steps, both or 1, for a LossScaler or LearningRateScaler.

    The global choices count all GPUs, of which there is one here.
    """
    batch, accumulated = config.batch_size, config.gradient_accumulation_steps
    factors = {
        "BATCH": batch,
        "GLOBAL_BATCH": batch,
        "GRADIENT_ACCUMULATION": accumulated,
        "BOTH": batch * accumulated,
        "GLOBAL_BOTH": batch * accumulated,
    }
    return factors.get(scaler.value, 1)
