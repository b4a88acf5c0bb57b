"""LoRA (Hu et al., arXiv:2106.09685) by peft: adding it to a model, and the two layouts in which it is saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadConfig, Problem

ADAPTER = "default"
# Published files name a CLIP text encoder's layers as transformers 4 does, earlier files of this trainer without it.
PUBLISHED = re.compile(r"^(text_encoder(?:_\d)?)\.text_model\.")
PRESETS = {
    "full": "",
    "blocks": "",
    "attn-mlp": "attn,attention,ff,mlp",
    "attn-only": "attn",
}


def add_lora(config: TrainConfig, family: ModelFamily) -> dict[str, nn.Module]:
    """Add a LoRA to each trained part; return these parts by name. Raises BadConfig if the filter leaves no layer."""
    trained = {name: part for name, part in family.parts.items() if getattr(config, name).train}
    for name, part in trained.items():
        layers = _layers(config, part, family.lora_targets[name])
        if not layers:
            raise BadConfig([Problem("layer_filter", f"matches no layer of {name}; change it, or leave it empty")])
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


@contextmanager
def without_lora(parts: Iterable[nn.Module]) -> Iterator[None]:
    """Inside the block the parts compute as before their training; which weights are trained stays as it is."""
    layers = [layer for part in parts for layer in part.modules() if isinstance(layer, LoraLayer)]
    trained = [(weight, weight.requires_grad) for layer in layers for weight in layer.parameters()]
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        for weight, is_trained in trained:
            weight.requires_grad_(is_trained)


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
    """The layout of diffusers and peft. It has no alpha, so the second matrix is multiplied by the strength."""
    strength = config.lora_alpha / config.lora_rank
    return {
        family.published_names[name] + key: weight * strength if ".lora_B." in key else weight
        for name, part in parts.items()
        for key, weight in lora_state(part).items()
    }


def _layers(config: TrainConfig, part: nn.Module, default: str) -> list[str]:
    """The full names of the layers that both the default and the config's filter match."""
    known = [name for name, layer in part.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    matching = [name for name in known if re.fullmatch(default, name)]
    text = config.layer_filter or PRESETS.get(config.layer_filter_preset, "")
    patterns = [pattern.strip() for pattern in text.split(",") if pattern.strip()]
    if not patterns or part.__class__.__name__.startswith("CLIP"):
        return matching
    if config.layer_filter_regex:
        return [name for name in matching if any(re.search(pattern, name) for pattern in patterns)]
    return [name for name in matching if any(pattern in name for pattern in patterns)]


@torch.no_grad()
def load_lora(config: TrainConfig, parts: dict[str, nn.Module], prefixes: dict[str, str], path: Path) -> int:
    """Start with the LoRA in a file, in either layout; return how many of its weights belong to no trained layer.

    Its effect on the model stays the same even if its strength (alpha / rank) was different. Raises BadConfig.
    """
    given = _read_lora(path)
    strength_here = config.lora_alpha / config.lora_rank
    taken = 0
    for name, part in parts.items():
        targets = dict(part.named_parameters())
        for key in lora_state(part):
            found = _weight_of(given, name, prefixes[name], key)
            if found is None:
                continue
            weight, strength = found
            target = targets[key.replace(".weight", f".{ADAPTER}.weight")]
            if target.shape != weight.shape:
                raise _refused(
                    f"{path} has rank {min(weight.shape[:2])}, but lora_rank is {config.lora_rank}: set the same rank."
                )
            target.copy_(weight * (strength / strength_here if ".lora_B." in key else 1.0))
            taken += 1
    if not taken:
        raise _refused(f"{path} holds no LoRA for the layers that are trained here: choose another file.")
    return sum(1 for key in given if not key.endswith("alpha")) - taken


def _read_lora(path: Path) -> dict[str, Tensor]:
    try:
        return {PUBLISHED.sub(r"\1.", name): weight for name, weight in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise _refused(f"{path} cannot be read as a LoRA ({error}): choose another file.") from error


def _weight_of(given: dict[str, Tensor], name: str, prefix: str, key: str) -> tuple[Tensor, float] | None:
    """(weight, factor) of one of the model's LoRA weights, from either layout."""
    if (weight := given.get(f"{name}.{key}")) is not None:
        return weight, 1.0  # the strength is included in the weights
    layer, _, matrix = key.removesuffix(".weight").rpartition(".")
    base = prefix + layer.replace(".", "_")
    weight = given.get(f"{base}.{'lora_down' if matrix == 'lora_A' else 'lora_up'}.weight")
    if weight is None:
        return None
    rank = weight.shape[0 if matrix == "lora_A" else 1]
    alpha = given.get(f"{base}.alpha")
    return weight, (float(alpha) if alpha is not None else rank) / rank


def _refused(sentence: str) -> BadConfig:
    return BadConfig([Problem("lora_model_name", sentence)])
