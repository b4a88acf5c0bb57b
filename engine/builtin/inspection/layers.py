"""The filter of the layers to train, held against the layers of a base model."""

from __future__ import annotations

from collections.abc import Iterator

from engine.builtin.config.layer_filter import is_matched, matches, patterns
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import ModelFiles
from engine.interface.errors import Problem
from engine.interface.safetensors_header import Shape


def look_at_layers(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    """An error for a pattern that matches no layer of the unet. Only for models with a UNet."""
    weights = model.unet_weights if model else None
    if not weights or not config.unet.train:
        return
    if config.training_method != "LORA":
        if not any(is_matched(config, name) for name in weights):
            yield Problem("layer_filter", "matches no weight of unet; change it, or leave it empty")
        return
    layers = adaptable(weights)
    for pattern in patterns(config):
        if not any(matches(config, pattern, layer) for layer in layers):
            yield Problem("layer_filter", f"{pattern!r} matches no layer of unet; change or remove it")


def adaptable(weights: dict[str, Shape]) -> list[str]:
    """The names of the layers that can have a LoRA, of which `layer_filter` chooses."""
    return [name.removesuffix(".weight") for name, shape in weights.items() if len(shape) in (2, 4)]
