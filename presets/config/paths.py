"""Which files and folders a config may name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.interface.paths import exists
from engine.onetrainer.checks.data import is_hub_data_set
from web.allowed_paths import refusal

MODELS = ("base_model_name", "lora_model_name")


def check_paths(config: JsonObject, takes_hub_data_sets: bool = False) -> list[Problem]:
    """A problem for each path of the config that is not allowed, or does not exist but will be read."""
    named = [
        (field, refusal(path, write) or missing(path, write))
        for field, path, write in named_paths(config, takes_hub_data_sets)
    ]
    parts = [(field, refusal(path)) for field, path in paths_of_parts(config)]  # a worker knows which are read
    return [Problem(field, sentence) for field, sentence in (*named, *parts) if sentence]


def missing(path: str, write: bool = False) -> str | None:
    """A sentence if a file or folder that will be read does not exist."""
    if write or exists(path):
        return None
    return _("%(path)s does not exist: check the path, or put the files there first.") % {"path": path[:200]}


def with_absolute_paths(config: JsonObject, takes_hub_data_sets: bool = False) -> JsonObject:
    """A copy with absolute paths for all that will be read, so that they mean the same in every process."""
    config = copy.deepcopy(config)
    for holder in _holders_of_models(config).values():
        if looks_like_path(holder["model_name"]):
            holder["model_name"] = _absolute(holder["model_name"])
    for field in MODELS:
        if looks_like_path(name := config.get(field)):
            config[field] = _absolute(name)
    for concept in _objects(keys_of(config).get("concepts")):
        if _is_path(path := concept.get("path")) and not (takes_hub_data_sets and is_hub_data_set(path)):
            concept["path"] = _absolute(path)
        if isinstance(text := concept.get("text"), dict) and _is_path(text.get("prompt_path")):
            text["prompt_path"] = _absolute(text["prompt_path"])
    return config


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def paths_of_parts(config: JsonObject) -> Iterator[tuple[str, str]]:
    """(field, path) of each file or folder that a part or an embedding is loaded from."""
    for field, holder in _holders_of_models(config).items():
        if looks_like_path(name := holder["model_name"]):
            yield field, name


def _holders_of_models(config: JsonObject) -> dict[str, JsonObject]:
    """The parts and embeddings that name a model, by the field of its name."""
    parts = {f"{name}.model_name": part for name, part in config.items() if isinstance(part, dict)}
    embeddings = _objects(config.get("additional_embeddings"))
    parts |= {f"additional_embeddings.{index}.model_name": one for index, one in enumerate(embeddings)}
    return {field: holder for field, holder in parts.items() if _is_path(holder.get("model_name"))}


def named_paths(config: JsonObject, takes_hub_data_sets: bool = False) -> Iterator[tuple[str, str, bool]]:
    """(field, path, whether it is written) of each file or folder in the config.

    Relative destinations are left out, since they are in the run's own folder.
    """
    for field in MODELS:
        if looks_like_path(name := config.get(field)):
            yield field, name, False
    for field in ("output_model_destination", "cache_dir"):
        if _is_path(path := config.get(field)) and Path(path).is_absolute():
            yield field, path, True
    for index, concept in enumerate(_objects(keys_of(config).get("concepts"))):
        if _is_path(path := concept.get("path")) and not (takes_hub_data_sets and is_hub_data_set(path)):
            yield f"concepts.{index}.path", path, False
        text = concept.get("text")
        if isinstance(text, dict) and text.get("prompt_source") == "concept" and _is_path(text.get("prompt_path")):
            yield f"concepts.{index}.text.prompt_path", text["prompt_path"], False


def looks_like_path(name: Any) -> TypeGuard[str]:
    """Whether a model's name is a file or folder, not a hub name such as `owner/model` or an address."""
    return (
        _is_path(name)
        and "://" not in name
        and (name.startswith(("/", ".", "~")) or name.count("/") != 1 or exists(name))
    )


def _is_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
