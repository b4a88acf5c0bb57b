"""The built-in engine's config as JSON Schema, made from the dataclasses themselves."""

from __future__ import annotations

import functools
import typing
from enum import StrEnum
from typing import Any

from engine.builtin.config import TrainConfig
from engine.builtin.settings import Settings, inner_types

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string"}
INFINITY = {"enum": ["inf", "-inf"]}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of a config; partial configs are valid too."""
    return {"$schema": DIALECT, **_object(TrainConfig), "title": "Training config"}


@functools.cache
def _default_config() -> dict[str, Any]:
    return TrainConfig.default_values().to_dict()


def defaults() -> dict[str, Any]:
    """A full config with every field's default; a fresh copy each time."""
    return TrainConfig.from_dict(_default_config()).to_dict()


def _object(kind: type[Settings]) -> dict[str, Any]:
    return {
        "type": "object",
        "title": kind.__name__,
        "description": (kind.__doc__ or "").splitlines()[0],
        "properties": {name: _property(kind, name, hint) for name, hint in kind.hints().items()},
    }


def _property(kind: type[Settings], name: str, hint: Any) -> dict[str, Any]:
    metadata = kind.__dataclass_fields__[name].metadata
    described = _type(hint) | {"title": name.replace("_", " ").capitalize(), "description": metadata.get("help", "")}
    for bound in ("minimum", "maximum"):
        if metadata.get(bound) is not None:
            described[bound] = metadata[bound]
    default = kind.default_of(name)
    if not isinstance(default, Settings):
        described["default"] = default.value if isinstance(default, StrEnum) else default
    return described


def _type(hint: Any) -> dict[str, Any]:
    kind, nullable = inner_types(hint)
    described = _plain_type(kind)
    return {"anyOf": [described, {"type": "null"}]} if nullable else described


def _plain_type(kind: Any) -> dict[str, Any]:
    origin = typing.get_origin(kind)
    if origin is list:
        return {"type": "array", "items": _type(typing.get_args(kind)[0])}
    if origin is dict:
        item = typing.get_args(kind)[1]
        return {"type": "object"} if item is Any else {"type": "object", "additionalProperties": _type(item)}
    if issubclass(kind, Settings):
        return _object(kind)
    if issubclass(kind, StrEnum):
        return {"type": "string", "enum": [choice.value for choice in kind]}
    if kind is float:
        return {"anyOf": [{"type": "number"}, INFINITY]}
    return {"type": PLAIN[kind]}
