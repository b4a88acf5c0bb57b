"""Read JSON that every database can store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.interface.json_files import strict_json
from web.limits.table import limit


def parse(content: str | bytes) -> Any:
    """Read JSON without NaN, infinity, keys that appear twice, NUL and half characters, and endless nesting.

    A byte-order mark is read past, and bytes may be UTF-16 or UTF-32, which their first bytes show. Raises ValueError.
    """
    text = content.removeprefix("\ufeff") if isinstance(content, str) else content
    try:
        data = strict_json(text, limit("JSON_DIGITS"))
        _refuse_depth(data)
        refuse_unstorable(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return data


def refuse_unstorable(data: Any) -> None:
    """Raise ValueError for a text that some database cannot store."""
    wrong = next((text for text in _texts(data) if not _can_be_stored(text)), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:60]!a} contains a NUL or half a character (such as \\ud800)")


def _refuse_depth(data: Any) -> None:
    """Level by level, since a walk that calls itself would fail at the depth that it is to find."""
    level, depth = [data], 0
    while holders := [value for value in level if isinstance(value, (dict, list))]:
        depth += 1
        if depth > limit("JSON_DEPTH"):
            raise ValueError(f"it is nested more than {limit('JSON_DEPTH')} levels deep")
        level = [item for holder in holders for item in (holder.values() if isinstance(holder, dict) else holder)]


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


def _can_be_stored(text: str) -> bool:
    return (text.isascii() and "\x00" not in text) or not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)
