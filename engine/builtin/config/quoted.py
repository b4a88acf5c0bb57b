"""Numbers and truth values in quotes, as other tools and people write them, read as what they mean."""

from __future__ import annotations

import re
import typing
from typing import Any

from engine.builtin.config.settings import Settings, inner_types
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject

WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
TRUTHS = {"true": True, "false": False}


def unquoted(values: JsonObject, kind: type[Settings], notes: list[Problem], path: str = "") -> JsonObject:
    """A copy in which each text in place of a number or a truth value is read as that, with a warning in `notes`.

    A text that is no number stays, so that the check of types names it.
    """
    hints, prefix = kind.hints(), f"{path}." if path else ""
    return {
        key: _read(hints[key], value, f"{prefix}{key}", notes) if key in hints else value
        for key, value in values.items()
    }


def _read(hint: Any, value: Any, path: str, notes: list[Problem]) -> Any:
    kind, _nullable = inner_types(hint)
    origin = typing.get_origin(kind)
    if origin is list and isinstance(value, list):
        (item,) = typing.get_args(kind)
        return [_read(item, one, f"{path}.{number}", notes) for number, one in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        item = typing.get_args(kind)[1]
        return {key: _read(item, one, f"{path}.{key}", notes) for key, one in value.items()}
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Settings):
        return unquoted(value, kind, notes, path)
    found = _plain(kind, value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    what = "true or false" if kind is bool else "a number"
    notes.append(Problem(path, f"is text ({value[:40]!r}), and was read as {what}; write it without quotes", "warning"))
    return found


def _plain(kind: Any, text: str) -> bool | int | float | None:
    if kind is bool:
        return TRUTHS.get(text.lower())
    if kind is int and WHOLE.fullmatch(text):
        return int(text)
    if kind in (int, float) and len(text) < 60 and NUMBER.fullmatch(text):
        number = float(text)
        return number if kind is float else int(number) if number.is_integer() else None
    return None
