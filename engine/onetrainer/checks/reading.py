"""Values of a config whose form has not been checked: a value of another type counts as missing."""

from __future__ import annotations

from engine.interface.json_types import JsonObject


def text_in(config: JsonObject, name: str) -> str:
    value = config.get(name)
    return value if isinstance(value, str) else ""


def object_in(config: JsonObject, name: str) -> JsonObject:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def size_multiple(config: JsonObject, facts: JsonObject) -> int:
    """The pixels of which both edges of a picture become a multiple: by model type, for some also by method."""
    by_method = object_in(facts["size_multiples"], text_in(config, "model_type"))
    multiple = by_method.get(text_in(config, "training_method"), by_method.get(""))
    return multiple if isinstance(multiple, int) else 1
