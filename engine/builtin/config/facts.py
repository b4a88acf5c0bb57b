"""The bare facts of the built-in trainer's config, from its dataclasses. No torch."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from engine import schema as json_schema
from engine.builtin.config.enums import ModelFormat
from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.settings import Settings, inner_types, to_json
from engine.builtin.config.support import CHOICES
from engine.builtin.config.train_config import TrainConfig
from engine.interface.json_types import JsonObject


def facts() -> json_schema.Facts:
    """The bare facts of the dataclasses, in the form that `engine.schema` reads."""
    classes: JsonObject = {}
    enums: dict[str, list[str]] = {}
    _collect(TrainConfig, classes, enums)
    return {
        "root": TrainConfig.__name__,
        "classes": classes,
        "enums": enums,
        "training_methods_by_model_type": {
            str(model): [str(method) for method in CHOICES["training_method"]] for model in CHOICES["model_type"]
        },
        "model_formats": [str(choice) for choice in ModelFormat],
        "optimizer_parameters": {str(name): to_json(own) for name, own in OPTIMIZER_DEFAULTS.items()},
    }


def _collect(kind: type[Settings], classes: JsonObject, enums: dict[str, list[str]]) -> None:
    if kind.__name__ in classes:
        return
    described: JsonObject = {}
    classes[kind.__name__] = {"version": kind.json_version, "fields": described}
    for name, hint in kind.hints().items():
        for part in _parts(hint):
            if issubclass(part, Settings):
                _collect(part, classes, enums)
            elif issubclass(part, StrEnum):
                enums[part.__name__] = [str(choice) for choice in part]
        described[name] = _fact(kind, name, hint)


def _fact(owner: type[Settings], name: str, hint: Any) -> JsonObject:
    kind, nullable = inner_types(hint)
    return {
        "type": _type_name(kind),
        "default": to_json(owner.default_of(name)),
        "nullable": nullable,
        **owner.metadata_of(name),
    }


def _parts(hint: Any) -> Iterator[type]:
    """The classes that a type names, at any depth."""
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    for part in typing.get_args(hint):
        if part not in (Any, types.NoneType):
            yield from _parts(part)


def _type_name(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return f"list[{_type_name(arguments[0])}]"
    if origin is dict:
        return "dict" if arguments[1] is Any else f"dict[str, {_type_name(arguments[1])}]"
    return kind.__name__
