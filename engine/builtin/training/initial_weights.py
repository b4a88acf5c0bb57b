"""Initial weights other than the base model's: those of a LoRA file, or of another run's backup."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import Parameter

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.lora import load_lora
from engine.builtin.training.checkpoint import EMA, WEIGHTS
from engine.interface.callbacks import TrainCallbacks
from engine.interface.errors import BadBackup
from engine.interface.files import verify


def take_lora(config: TrainConfig, family: ModelFamily, parts: dict[str, nn.Module], callbacks: TrainCallbacks) -> None:
    """Take over the weights of the LoRA file that the config names. Raises BadConfig."""
    path = Path(config.lora_model_name).expanduser()
    left = load_lora(config, parts, family.lora_prefixes, path)
    if left:
        callbacks.on_warning(f"{left} weights of {path} are not used: their layers are not trained in this run.")


@torch.no_grad()
def take_weights(parameters: list[Parameter], backup: Path) -> None:
    """Load a backup's weights, averaged if it has averages; step count and optimizer start from zero.

    Raises BadBackup.
    """
    verify(backup)
    saved = load_file(backup / (EMA if (backup / EMA).exists() else WEIGHTS))
    saved.pop("updates", None)
    shapes = [tuple(tensor.shape) for _, tensor in sorted(saved.items())]
    if shapes != [tuple(weight.shape) for weight in parameters]:
        raise BadBackup(f"The weights in {backup} belong to other layers: use the backup's own config.")
    for weight, (_, value) in zip(parameters, sorted(saved.items()), strict=True):
        weight.copy_(value)
