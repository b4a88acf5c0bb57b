"""The models of the hub that a config's training loads, and whether they are on this machine. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.builtin.families.model_files import Incomplete, NotAModel, find_model, looks_like_hub_name
from engine.builtin.inspection.folders import files_of_weights, weights_of
from engine.interface.json_types import JsonObject
from engine.onetrainer import schema as onetrainer
from engine.onetrainer.checks.models import names_of

INDEX = "model_index.json"


def missing_models(config: JsonObject, engine: str) -> list[str]:
    """The names on the hub that must be downloaded first; none if the config or the machine is set to offline."""
    if is_offline(config):
        return []
    cache = str(config.get("huggingface_cache_dir") or "")
    names = [name for name in _named(config, engine) if looks_like_hub_name(name) and "://" not in name]
    return [name for name in dict.fromkeys(names) if not is_here(name, cache, engine)]


def is_offline(config: JsonObject) -> bool:
    """True if nothing may be downloaded."""
    return config.get("offline_mode") is True or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true")


def _named(config: JsonObject, engine: str) -> Iterator[str]:
    if engine != "onetrainer":
        yield str(config.get("base_model_name") or "")
        return
    facts = onetrainer.facts_if_known(0)
    parts = facts["model_parts"].get(str(config.get("model_type")), ()) if facts else ()
    named = [part for part in parts if part in (facts or {})["named_parts"]]
    for setting, name in names_of({**config, "training_method": "", "additional_embeddings": None}, named):
        if setting == "base_model_name" or setting.removesuffix(".model_name") in named:
            yield name


def is_here(name: str, cache_dir: str = "", engine: str = "builtin") -> bool:
    """True if the model's files are on this machine, as far as this engine needs them."""
    path = find_model(name, cache_dir)
    if path is None or path.is_file():
        return path is not None
    try:
        if engine == "onetrainer" or not (path / INDEX).is_file():
            _look_at_parts_there(path)
        else:
            files_of_weights(path)
    except Incomplete:
        return False
    except NotAModel:
        return True  # the check of the config says what is wrong with it
    return True


def _look_at_parts_there(folder: Path) -> None:
    """Raise Incomplete if a part lacks weights; a part without a folder may be a part that nobody loads."""
    for part in folder.iterdir():
        if part.is_dir() and (part / "config.json").is_file():
            weights_of(part)
