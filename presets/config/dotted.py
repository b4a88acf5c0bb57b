"""Change one value of a config by its dotted path, such as `optimizer.beta1` or `concepts.0.path`."""

from __future__ import annotations

from typing import Any

from engine.schema import value_in
from web.errors import BadInput

MISSING: Any = object()
LONGEST_PATH, DEEPEST_PATH = 300, 12


def with_value(config: Any, field: str, value: object) -> Any:
    """A copy of the config with `value` at the path, or without the key for MISSING; the config itself is not changed.

    Missing objects on the way are created. Raises BadInput if the path leads through a value that is not an object,
    or past the end of a list.
    """
    parts = field.split(".")
    if not field or len(field) > LONGEST_PATH or len(parts) > DEEPEST_PATH or not all(parts):
        raise _refused(field, "is not a path of a field: write it with dots, such as optimizer.beta1.")
    return _with(config, parts, value, field)


def _with(below: Any, parts: list[str], value: object, field: str) -> Any:
    first, *rest = parts
    if isinstance(below, list):
        return _with_item(below, first, rest, value, field)
    if below is not None and not isinstance(below, dict):
        raise _refused(field, "leads into a value without fields: set the field above it first.")
    copy = dict(below or {})
    inner = _with(copy.get(first), rest, value, field) if rest else value
    if inner is MISSING or (rest and value is MISSING and inner == {}):
        copy.pop(first, None)
    else:
        copy[first] = inner
    return copy


def _with_item(below: list[Any], first: str, rest: list[str], value: object, field: str) -> Any:
    if value_in(below, first, MISSING) is MISSING:
        raise _refused(field, f"leads past the end of a list of {len(below)}: look at the newest state of the list.")
    copy, index = list(below), int(first)
    if not rest and value is MISSING:
        del copy[index]
    else:
        copy[index] = _with(copy[index], rest, value, field) if rest else value
    return copy


def _refused(field: str, sentence: str) -> BadInput:
    shown = field[:100] or "(empty)"
    return BadInput(f"{shown} {sentence}", {shown: [f"It {sentence}"]})
