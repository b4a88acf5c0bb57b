"""LoRA (Hu et al., arXiv:2106.09685) by peft: adding it to a model, and the two layouts in which it is saved."""

from __future__ import annotations

import re

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from torch import Tensor, nn

from engine.builtin.config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadConfig, Problem

ADAPTER = "default"
PRESETS = {
    "full": "",
    "blocks": "",
    "attn-mlp": "attn,attention,ff,mlp",
    "attn-only": "attn",
}


def add_lora(config: TrainConfig, family: ModelFamily) -> dict[str, nn.Module]:
    """Add a LoRA to each part that is trained; return these parts by name. Raises BadConfig if no layer is left."""
    trained = {name: part for name, part in family.parts.items() if getattr(config, name).train}
    for name, part in trained.items():
        layers = _layers(config, part, family.lora_targets[name])
        if not layers:
            raise BadConfig([Problem("layer_filter", f"it leaves no layer of {name}: widen it, or leave it empty.")])
        settings = LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.dropout_probability,
            target_modules=layers,
            init_lora_weights=True,
        )
        inject_adapter_in_model(settings, part, ADAPTER)
        for weight in lora_parameters(part):
            weight.data = weight.data.float()
            weight.requires_grad_(True)
    return trained


def lora_parameters(part: nn.Module) -> list[nn.Parameter]:
    return [weight for name, weight in part.named_parameters() if "lora_" in name]


def lora_state(part: nn.Module) -> dict[str, Tensor]:
    """The LoRA's weights by layer: `<layer>.lora_A.weight` (rank, in) and `<layer>.lora_B.weight` (out, rank)."""
    return {name: weight.detach() for name, weight in get_peft_model_state_dict(part, adapter_name=ADAPTER).items()}


def kohya_layout(config: TrainConfig, family: ModelFamily, parts: dict[str, nn.Module]) -> dict[str, Tensor]:
    """The layout of most tools: `lora_unet_<layer>.lora_down.weight`, with each layer's alpha."""
    saved: dict[str, Tensor] = {}
    for name, part in parts.items():
        for key, weight in lora_state(part).items():
            layer, _, matrix = key.removesuffix(".weight").rpartition(".")
            base = family.lora_prefixes[name] + layer.replace(".", "_")
            saved[f"{base}.{'lora_down' if matrix == 'lora_A' else 'lora_up'}.weight"] = weight
            saved[f"{base}.alpha"] = torch.tensor(float(config.lora_alpha))
    return saved


def diffusers_layout(config: TrainConfig, family: ModelFamily, parts: dict[str, nn.Module]) -> dict[str, Tensor]:
    """The layout of diffusers and peft. It has no alpha, so the strength goes into the second matrix."""
    strength = config.lora_alpha / config.lora_rank
    return {
        f"{name}.{key}": weight * strength if ".lora_B." in key else weight
        for name, part in parts.items()
        for key, weight in lora_state(part).items()
    }


def _layers(config: TrainConfig, part: nn.Module, default: str) -> list[str]:
    """The full names of the layers that the default and the config's filter both name."""
    known = [name for name, layer in part.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    wanted = [name for name in known if re.fullmatch(default, name)]
    text = config.layer_filter or PRESETS.get(config.layer_filter_preset, "")
    patterns = [pattern.strip() for pattern in text.split(",") if pattern.strip()]
    if not patterns or part.__class__.__name__.startswith("CLIP"):
        return wanted
    if config.layer_filter_regex:
        return [name for name in wanted if any(re.search(pattern, name) for pattern in patterns)]
    return [name for name in wanted if any(pattern in name for pattern in patterns)]
