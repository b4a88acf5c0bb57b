"""The check of a config against our JSON Schema, with sentences that a user can act on."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from engine.interface.errors import Problem
from engine.interface.json_types import Json, JsonObject
from engine.schema import BOUNDS, Schema

WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}
IGNORED = ("weight_dtype", "__version")  # at the top of many of OneTrainer's own presets, without effect there


def check_against(schema: Schema, config: object) -> list[Problem]:
    """The problems of the config; a key that is not in the schema is only a warning."""
    return list(_check(schema, config, ""))


def _check(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    if "anyOf" in schema:
        if value in [one.get("const", ...) for one in schema["anyOf"]]:
            return
        bounds = {key: schema[key] for key in BOUNDS if key in schema}
        schema = schema["anyOf"][0] | bounds
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, kind) for kind in types):
        yield Problem(path, f"must be {' or '.join(WORDS[kind] for kind in types)}, not {_shown(value)}")
    elif "enum" in schema and value not in schema["enum"]:
        yield Problem(path, _choose(schema["enum"], value))
    elif isinstance(value, dict):
        yield from _check_object(schema, value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(schema.get("items", {}), item, f"{path}.{index}")
    else:
        yield from _check_range(schema, value, path)


def _check_object(schema: Schema, value: JsonObject, path: str) -> Iterator[Problem]:
    known, others = schema.get("properties"), schema.get("additionalProperties", {})
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        if known is not None and key in known:
            yield from _check(known[key], item, here)
        elif known is None:
            yield from _check(others, item, here)
        elif key not in IGNORED:
            yield Problem(here, "is not a known setting; it is kept but has no effect", "warning")


def _check_range(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not float("-inf") < value < float("inf"):
        yield Problem(path, "must be finite")
    elif message := out_of_range(schema, value):
        yield Problem(path, message)


def out_of_range(bounds: Mapping[str, Any], value: float) -> str:
    """The sentence about a number that is outside JSON Schema's bounds; empty if it is inside."""
    tests = {
        "minimum": (operator.ge, "at least"),
        "maximum": (operator.le, "at most"),
        "exclusiveMinimum": (operator.gt, "above"),
        "exclusiveMaximum": (operator.lt, "below"),
    }
    broken = (
        f"must be {words} {bounds[name]:g}, not {value}"
        for name, (holds, words) in tests.items()
        if bounds.get(name) is not None and not holds(value, bounds[name])
    )
    return next(broken, "")


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    kinds = {"number": (int, float), "string": str, "array": list, "object": dict, "null": type(None)}
    return kind in kinds and isinstance(value, kinds[kind])  # type: ignore[arg-type]


def _choose(choices: list[Json], value: object) -> str:
    names = [str(choice) for choice in choices if choice is not None]
    close = difflib.get_close_matches(str(value).upper(), names, n=3) if len(names) > 12 else []
    return f"{_shown(value)} is not one of its choices; choose {' or '.join(close or names)}"


def _shown(value: object) -> str:
    """The value as a short piece of a sentence."""
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
