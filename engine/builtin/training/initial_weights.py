"""Initial weights other than the base model's: those of a LoRA file, or of a backup; and the layers that they have."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import Parameter

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.layers import earlier_lora_layers, lora_layers
from engine.builtin.families.lora import load_lora
from engine.builtin.training.checkpoint import EMA, WEIGHTS, read_meta
from engine.builtin.training.same_training import refuse_other_layers, refuse_other_training
from engine.interface.callbacks import TrainCallbacks
from engine.interface.files import verify
from engine.interface.json_types import JsonObject

FILTER = ("layer_filter", "layer_filter_preset", "layer_filter_regex")


def choose_lora_layers(config: TrainConfig, family: ModelFamily, backup: Path | None) -> dict[str, list[str]]:
    """The layers to add a LoRA to, by trained part: with an unchanged filter, those of the backup to begin with."""
    names = [name for name in family.parts if getattr(config, name).train]
    meta = _meta(backup) if backup else {}
    before, present = meta.get("config", {}), config.to_dict()
    if any(before.get(name) != present[name] for name in FILTER):
        return {name: lora_layers(config, family, name) for name in names}
    if (listed := meta.get("lora_layers")) is not None:
        return {name: listed[name] if name in listed else lora_layers(config, family, name) for name in names}
    return {name: earlier_lora_layers(config, family, name) for name in names}


def _meta(backup: Path) -> JsonObject:
    """What the backup says of itself; nothing if it is broken, which restoring it then reports."""
    try:
        return read_meta(backup)
    except (OSError, ValueError):
        return {}


def take_lora(config: TrainConfig, family: ModelFamily, parts: dict[str, nn.Module], callbacks: TrainCallbacks) -> None:
    """Take over the weights of the LoRA file that the config names. Raises BadConfig."""
    path = Path(config.lora_model_name).expanduser()
    left = load_lora(config, parts, family, path)
    if left:
        callbacks.on_warning(f"{left} weights of {path} are not used: their layers are not trained in this run.")


@torch.no_grad()
def take_weights(config: TrainConfig, parameters: list[Parameter], backup: Path) -> None:
    """Load a backup's weights, averaged if it has averages; step count and optimizer start from zero.

    Raises BadBackup, and BadConfig if the config trains other weights than those of the backup.
    """
    verify(backup)
    before = read_meta(backup)["config"]
    refuse_other_training(config, before)
    saved = load_file(backup / (EMA if (backup / EMA).exists() else WEIGHTS))
    saved.pop("updates", None)  # the averages of earlier versions count themselves
    values = [value for _, value in sorted(saved.items())]
    refuse_other_layers(config, before, parameters, values)
    for weight, value in zip(parameters, values, strict=True):
        weight.copy_(value)
