"""The config's JSON Schema, made from the dataclasses themselves, for editors and for the API."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from engine.builtin.config import SECTIONS, TrainConfig
from engine.builtin.config_optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.settings import Settings, inner_types, to_json
from engine.builtin.support import CHOICES, NO_EFFECT, NOT_DONE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPE_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string"}
INFINITY = {"const": "inf"}
WORDS = {word: word.upper() for word in ("cfg", "ema", "gpu", "lr", "mae", "mse", "oft", "svd", "vae", "vb", "snr")} | {
    "dtype": "number format",
    "eps": "epsilon",
    "lokr": "LoKr",
    "lora": "LoRA",
    "unet": "UNet",
}
# Their defaults follow the optimizer.
DEPENDENT = {name for own in OPTIMIZER_DEFAULTS.values() for name in own}


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a config; a partial config is valid too.

    Beside the standard keywords a property has `x-section`, the heading that it belongs under; `x-supported`, where
    the built-in trainer has only some of the choices; and `x-note`, where it does not do it or it makes no difference.
    """
    properties = {
        name: {**_property(TrainConfig, name, name), "x-section": part.__doc__}
        for part in SECTIONS
        for name in part.hints()
    }
    return {
        "$schema": DIALECT,
        "title": "Training config",
        "description": "OneTrainer's training config; what is left out keeps its default.",
        "type": "object",
        "properties": properties,
    }


def defaults() -> dict[str, Any]:
    """A config with OneTrainer's defaults, to lay presets and changes over.

    What differs from optimizer to optimizer is left out, since it follows the optimizer that is chosen in the end.
    """
    config = TrainConfig().to_dict()
    config["optimizer"] = {name: value for name, value in config["optimizer"].items() if name not in DEPENDENT}
    return config


def title(name: str) -> str:
    """A field's name as words: `lora_weight_dtype` is "LoRA weight number format"."""
    words = " ".join(WORDS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def _object(kind: type[Settings], path: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": kind.__doc__,
        "properties": {name: _property(kind, name, f"{path}.{name}") for name in kind.hints()},
    }


def _property(owner: type[Settings], name: str, path: str) -> dict[str, Any]:
    metadata = owner.metadata_of(name)
    described = _type(owner.hints()[name], path, metadata["infinite"])
    described |= {"title": title(name), "description": metadata["help"]}
    described |= {bound: metadata[bound] for bound in ("minimum", "maximum") if metadata[bound] is not None}
    default = owner.default_of(name)
    if not isinstance(default, Settings):
        described["default"] = to_json(default)
    return {**described, **dict(_notes(path))}


def _type(hint: Any, path: str, infinite: bool = False) -> dict[str, Any]:
    kind, nullable = inner_types(hint)
    described = _plain_type(kind, path)
    if nullable:
        described["type"] = [described["type"], "null"]
    return {"anyOf": [described, INFINITY]} if infinite else described


def _plain_type(kind: Any, path: str) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return {"type": "array", "items": _type(arguments[0], f"{path}.*")}
    if origin is dict:
        items = {} if arguments[1] is Any else {"additionalProperties": _type(arguments[1], f"{path}.*")}
        return {"type": "object", **items}
    if issubclass(kind, Settings):
        return _object(kind, path)
    if issubclass(kind, StrEnum):
        return {"type": "string", "enum": [str(choice) for choice in kind]}
    return {"type": TYPE_NAMES[kind]}


def _notes(path: str) -> Iterator[tuple[str, Any]]:
    if path in CHOICES:
        yield "x-supported", [str(choice) for choice in CHOICES[path]]
    if path in NOT_DONE:
        yield "x-note", f"The built-in trainer does not {NOT_DONE[path]}."
    elif path in NO_EFFECT:
        yield "x-note", f"No effect in the built-in trainer: {NO_EFFECT[path]}."
