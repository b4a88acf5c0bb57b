"""Conditions on the settings of a config, each of which says why it does not hold. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import schema as json_schema
from engine.interface.json_types import Json, JsonObject

Condition = Callable[[JsonObject, str], str]  # (whole config, path of the list's item or "") -> why not, or ""


def only_if(path: str, *values: Json) -> Condition:
    """True while the setting has one of the values; a path that begins with ./ is in the same item of a list."""
    return where(path, lambda value: value in values)


def unless(path: str, *values: Json) -> Condition:
    """True while the setting has none of the values."""
    return where(path, lambda value: value not in values)


def above(path: str, limit: float) -> Condition:
    return where(path, lambda value: value > limit)


def where(path: str, holds: Callable[[Any], bool]) -> Condition:
    def why_not(config: JsonObject, item: str) -> str:
        full = f"{item}.{path[2:]}" if path.startswith("./") else path
        value = json_schema.value_at(config, full)
        return "" if holds(value) else f"while {full} is {_shown(value)}"

    return why_not


def any_of(*conditions: Condition) -> Condition:
    """True if one of them is."""

    def why_not(config: JsonObject, item: str) -> str:
        reasons = [condition(config, item) for condition in conditions]
        return "" if "" in reasons else " and ".join([reasons[0], *(one.removeprefix("while ") for one in reasons[1:])])

    return why_not


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
