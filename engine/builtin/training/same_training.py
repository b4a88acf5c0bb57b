"""A backup held against the config that continues it: settings without which its weights mean something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor
from torch.optim import Optimizer

from engine.builtin.config.model_types import trainable_parts
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject

OF_WEIGHTS = ("model_type", "training_method")
OF_LORA = ("lora_rank", "lora_alpha")
OF_LAYERS = ("base_model_name", "layer_filter", "layer_filter_preset", "layer_filter_regex")
FOUND_BY_OPTIMIZER = ("params", "lr", "d", "d0", "d_max", "d_numerator", "k")  # the rest of a group are settings


def refuse_other_training(config: TrainConfig, before: JsonObject) -> None:
    """Raise BadConfig if the backup's weights would mean something else here; `before` is the backup's config."""
    present = config.to_dict()
    names = OF_WEIGHTS + (OF_LORA if present["training_method"] == "LORA" else ())
    changed = [name for name in names if name in before and before[name] != present[name]]
    if changed:
        raise BadConfig([_other(name, before[name], present[name]) for name in changed])


def refuse_other_layers(
    config: TrainConfig, before: JsonObject, weights: Sequence[Tensor], saved: Sequence[Tensor]
) -> None:
    """Raise BadConfig if the backup's weights belong to other layers than those that the config trains."""
    if [weight.shape for weight in weights] == [weight.shape for weight in saved]:
        return
    changed = list(_changed_layers(config.to_dict(), before)) or ["base_model_name"]
    why = "was changed since the backup, whose weights belong to other layers; change it back, or start a new run"
    raise BadConfig([Problem(name, why) for name in changed])


def other_base_model(config: TrainConfig, before: JsonObject) -> str:
    """A notice if the base model has another name or place than in the backup; else empty."""
    name = before.get("base_model_name")
    if not name or Path(name) == Path(config.base_model_name):
        return ""
    return (
        f"base_model_name was changed from {name} to {config.base_model_name} since the backup: change it back unless "
        "both are the same model, because the backup's weights were trained for the first."
    )


def load_optimizer(config: TrainConfig, before: JsonObject, optimizer: Optimizer, saved: JsonObject) -> str:
    """Restore the optimizer's averages, under the present settings; a notice if another optimizer must begin anew."""
    was, now = _state_kind(before.get("optimizer") or {}), _state_kind(config.optimizer.to_dict())
    if was[0] and was != now:
        return (
            f"optimizer was changed since the backup ({was[0]} to {now[0]}, or its kind of averages), so it continues "
            "with the backup's weights and begins its own averages anew."
        )
    settings = [
        {name: value for name, value in group.items() if name not in FOUND_BY_OPTIMIZER}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(saved)
    for group, present in zip(optimizer.param_groups, settings, strict=True):
        group.update(present)  # a rate or a setting that was changed since the backup acts from here on
    return ""


def _other(name: str, before: object, present: object) -> Problem:
    return Problem(name, f"is {present}, and the backup was made with {before}; set it to {before}, or start a new run")


def _changed_layers(present: JsonObject, before: JsonObject) -> Iterator[str]:
    yield from (name for name in OF_LAYERS if name in before and before[name] != present[name])
    for part in trainable_parts(present["model_type"]):
        if (before.get(part) or {}).get("train") not in (None, present[part]["train"]):
            yield f"{part}.train"


def _state_kind(settings: JsonObject) -> tuple[str, bool, int, bool]:
    """What decides which averages an optimizer keeps for a weight."""
    name = str(settings.get("optimizer") or "")
    return name, bool(settings.get("amsgrad")), int(settings.get("slice_p") or 1), settings.get("beta1") is None
