"""The filter of the layers to train, held against the layers of a base model."""

from __future__ import annotations

from collections.abc import Iterator

from engine.builtin.config.layer_filter import is_matched, matches, patterns
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import ModelFiles
from engine.interface.errors import Problem


def look_at_layers(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    """An error for a pattern that matches no layer of the unet. Only for diffusers folders, which name all layers."""
    weights = model.shapes.get("unet") if model and model.unet_config else None
    if not weights or not config.unet.train:
        return
    if config.training_method != "LORA":
        if not any(is_matched(config, name) for name in weights):
            yield Problem("layer_filter", "matches no weight of unet; change it, or leave it empty")
        return
    layers = [name.removesuffix(".weight") for name, shape in weights.items() if len(shape) in (2, 4)]
    for pattern in patterns(config):
        if not any(matches(config, pattern, layer) for layer in layers):
            yield Problem("layer_filter", f"{pattern!r} matches no layer of unet; change or remove it")
