"""The filter of the layers to train, with OneTrainer's meaning. No torch."""

from __future__ import annotations

import re

from engine.builtin.config.train_config import TrainConfig

# The filter of each preset, for Stable Diffusion 1.x, 2.x and XL.
PRESETS = {"full": "", "attn-mlp": "attentions", "attn-only": "attn"}


def patterns(config: TrainConfig) -> list[str]:
    """The filter's patterns, which commas separate; a preset stands for a filter that is empty.

    An empty pattern, as after a comma at the end, matches every layer.
    """
    text = config.layer_filter or PRESETS.get(config.layer_filter_preset, "")
    return [pattern.strip() for pattern in text.split(",")]


def matches(config: TrainConfig, pattern: str, name: str) -> bool:
    """True if the pattern is a part of the name, or as a regular expression is found in it."""
    return bool(re.search(pattern, name)) if config.layer_filter_regex else pattern in name


def is_matched(config: TrainConfig, name: str) -> bool:
    """True if one of the filter's patterns matches the name of a layer or of a weight."""
    return any(matches(config, pattern, name) for pattern in patterns(config))
