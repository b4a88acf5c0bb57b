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
from engine.paths.mirror import mirrored

ADAPTER = "default"
# Published files name a CLIP text encoder's layers as transformers 4 does, earlier files of this trainer without it.
PUBLISHED = re.compile(r"^(text_encoder(?:_\d)?)\.text_model\.")


def add_lora(config: TrainConfig, family: ModelFamily, layers: dict[str, list[str]]) -> dict[str, nn.Module]:
    """Add a LoRA to the layers of each part, given by their full names; return these parts by name."""
    trained = {name: family.parts[name] for name in layers}
    for name, part in trained.items():
        settings = LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            target_modules="|".join(re.escape(layer) for layer in layers[name]),
            init_lora_weights=True,
        )
        inject_adapter_in_model(settings, part, ADAPTER)
        for weight in lora_parameters(part):
            weight.data = weight.data.float()
            weight.requires_grad_(True)
        _add_dropout(part, config.dropout_probability)
    return trained


def _add_dropout(part: nn.Module, probability: float) -> None:
    """Drop values between the two matrices, as OneTrainer does; peft's own dropout is before the first one."""

    def drop(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return nn.functional.dropout(output, probability, module.training)

    for name, module in part.named_modules() if probability else ():
        if name.endswith(f".lora_A.{ADAPTER}"):
            module.register_forward_hook(drop)


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


def adapted_layers(part: nn.Module) -> list[str]:
    """The full names of the layers that have a LoRA."""
    return [name for name, module in part.named_modules() if isinstance(module, LoraLayer)]


def lora_state(part: nn.Module) -> dict[str, Tensor]:
    """The LoRA's weights by layer: `<layer>.lora_A.weight` (rank, in) and `<layer>.lora_B.weight` (out, rank)."""
    return {name: weight.detach() for name, weight in get_peft_model_state_dict(part, adapter_name=ADAPTER).items()}


def kohya_layout(config: TrainConfig, family: ModelFamily, parts: dict[str, nn.Module]) -> dict[str, Tensor]:
    """The layout of most tools: `lora_unet_<layer>.lora_down.weight`, with each layer's alpha."""
    saved: dict[str, Tensor] = {}
    for name, part in parts.items():
        for key, weight in lora_state(part).items():
            layer, _, matrix = key.removesuffix(".weight").rpartition(".")
            base = family.lora_prefixes[name] + family.kohya_layer(layer)
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


@torch.no_grad()
def load_lora(config: TrainConfig, parts: dict[str, nn.Module], family: ModelFamily, path: Path) -> int:
    """Start with the LoRA in a file, in either layout; return how many of its weights belong to no trained layer.

    Its effect on the model stays the same even if its strength (alpha / rank) was different. Raises BadConfig.
    """
    given = _read_lora(path)
    strength_here = config.lora_alpha / config.lora_rank
    taken = 0
    for name, part in parts.items():
        targets = dict(part.named_parameters())
        for key in lora_state(part):
            found = _weight_of(given, family, name, key)
            if found is None:
                continue
            weight, strength = found
            target = targets[key.replace(".weight", f".{ADAPTER}.weight")]
            if target.shape != weight.shape:
                raise _refused(
                    f"{path} has rank {min(weight.shape[:2])}, but lora_rank is {config.lora_rank}: set the same rank."
                )
            target.copy_(weight.float() * (strength / strength_here if ".lora_B." in key else 1.0))
            taken += 1
    if not taken:
        raise _refused(f"{path} holds no LoRA for the layers that are trained here: choose another file.")
    return sum(1 for key in given if not key.endswith("alpha")) - taken


def _read_lora(path: Path) -> dict[str, Tensor]:
    try:
        with mirrored(str(path), "lora_model_name") as opened:
            return {PUBLISHED.sub(r"\1.", name): weight for name, weight in load_file(opened).items()}
    except (OSError, SafetensorError) as error:
        raise _refused(f"{path} cannot be read as a LoRA ({error}): choose another file.") from error


def _weight_of(given: dict[str, Tensor], family: ModelFamily, name: str, key: str) -> tuple[Tensor, float] | None:
    """(weight, factor) of one of the model's LoRA weights, from either layout."""
    if (weight := given.get(PUBLISHED.sub(r"\1.", f"{name}.{key}"))) is not None:
        return weight, 1.0  # the strength is included in the weights
    layer, _, matrix = key.removesuffix(".weight").rpartition(".")
    end = f"{'lora_down' if matrix == 'lora_A' else 'lora_up'}.weight"
    names = (family.kohya_layer(layer), layer.replace(".", "_"))  # OneTrainer writes the second
    bases = (family.lora_prefixes[name] + one for one in names)
    base = next((base for base in bases if f"{base}.{end}" in given), None)
    if base is None:
        return None
    weight = given[f"{base}.{end}"]
    rank = weight.shape[0 if matrix == "lora_A" else 1]
    alpha = given.get(f"{base}.alpha")
    return weight, (float(alpha) if alpha is not None else rank) / rank


def _refused(sentence: str) -> BadConfig:
    return BadConfig([Problem("lora_model_name", sentence)])
