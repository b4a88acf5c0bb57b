"""Values of a config whose form has not been checked: a value of another type counts as missing."""

from __future__ import annotations

from engine.interface.json_types import JsonObject


def text_in(config: JsonObject, name: str) -> str:
    value = config.get(name)
    return value if isinstance(value, str) else ""


def object_in(config: JsonObject, name: str) -> JsonObject:
    value = config.get(name)
    return value if isinstance(value, dict) else {}
