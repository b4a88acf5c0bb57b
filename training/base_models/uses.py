"""Which runs need which base models: none of these is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.interface.json_types import JsonObject
from presets.base_models.on_disk import CACHE, FoundModel
from training.models import Run

SETTINGS = ("base_model_name", "lora_model_name")


def names_in(config: JsonObject) -> Iterator[str]:
    """Every model that the config names: the base, and those of its parts."""
    holders = [value for value in config.values() if isinstance(value, dict)]
    named = [config.get(setting) for setting in SETTINGS] + [holder.get("model_name") for holder in holders]
    yield from (name for name in named if isinstance(name, str) and name)


def runs_that_need(model: FoundModel) -> list[Run]:
    """Queued and active runs whose config names this model, by its name or a path in it."""
    runs = Run.objects.filter(status__in=(Run.Status.QUEUED, *Run.ACTIVE)).only("pk", "name", "config", "status")
    return [run for run in runs if any(_means(name, model) for name in names_in(run.config))]


def _means(name: str, model: FoundModel) -> bool:
    if name == model.name:
        return True
    if model.place == CACHE and not name.startswith(("/", "~", ".")):
        return False
    try:
        return Path(name).expanduser().resolve().is_relative_to(model.path.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
