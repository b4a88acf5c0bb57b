"""Read JSON that every database can store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def parse(content: str | bytes) -> Any:
    """Read JSON without NaN, infinity, NUL characters, half characters and endless nesting; raises ValueError.

    A byte-order mark is read past, and bytes may be UTF-16 or UTF-32, which their first bytes show.
    """
    text = content.removeprefix("\ufeff") if isinstance(content, str) else content
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
        refuse_unstorable(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return data


def refuse_unstorable(data: Any) -> None:
    """Raise ValueError for a text that some database cannot store."""
    wrong = next((text for text in _texts(data) if not _can_be_stored(text)), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:60]!a} contains a NUL or half a character (such as \\ud800)")


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number in JSON; OneTrainer writes infinity as "inf"')


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
