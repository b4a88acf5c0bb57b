"""The layers that a config trains."""

from __future__ import annotations

import re
from dataclasses import replace

from torch import nn

from engine.builtin.config.layer_filter import is_matched, matches, patterns
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadConfig, Problem

# The layers of LoRAs in backups that do not list them: they were made before the filter had OneTrainer's meaning.
EARLIER_LAYERS = (
    r".*\.(to_[qkv]|to_out\.0|ff\.net\.(0\.proj|2)|proj_in|proj_out|conv1|conv2|conv_shortcut|time_emb_proj"
    r"|q_proj|k_proj|v_proj|out_proj|fc1|fc2)"
)


def lora_layers(config: TrainConfig, family: ModelFamily, name: str) -> list[str]:
    """The full names of a part's layers that a LoRA adds to: every Linear and Conv2d that the filter matches.

    The filter applies to the denoiser alone. Raises BadConfig for a pattern that matches no layer.
    """
    known = [layer for layer, module in family.parts[name].named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if name != family.denoiser:
        return known
    for pattern in patterns(config):
        if not any(matches(config, pattern, layer) for layer in known):
            raise BadConfig([Problem("layer_filter", f"{pattern!r} matches no layer of {name}; change or remove it")])
    return [layer for layer in known if is_matched(config, layer)]


def earlier_lora_layers(config: TrainConfig, family: ModelFamily, name: str) -> list[str]:
    """The layers that the same config had in versions whose backups do not list them."""
    filled = [pattern for pattern in config.layer_filter.split(",") if pattern.strip()]
    config = replace(config, layer_filter=",".join(filled))
    return [layer for layer in lora_layers(config, family, name) if re.fullmatch(EARLIER_LAYERS, layer)]


def trained_weights(config: TrainConfig, family: ModelFamily, name: str) -> list[nn.Parameter]:
    """The weights of a part that is trained itself; the denoiser's filter applies to their names.

    Raises BadConfig if the filter leaves none.
    """
    if name != family.denoiser:
        return family.whole_weights(name)
    chosen = [weight for full_name, weight in family.parts[name].named_parameters() if is_matched(config, full_name)]
    if not chosen:
        raise BadConfig([Problem("layer_filter", f"matches no weight of {name}; change it, or leave it empty")])
    return chosen
