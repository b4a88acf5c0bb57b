"""Read JSON that every database can store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def parse(content: str | bytes) -> Any:
    """Read JSON without NaN, infinity, NUL characters, half characters and endless nesting; raises ValueError."""
    try:
        data = json.loads(content, parse_constant=_refuse_constant)
        wrong = next((text for text in _texts(data) if not _can_be_stored(text)), None)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if wrong is not None:
        raise ValueError(f"{wrong[:60]!a} contains a NUL or half a character (such as \\ud800)")
    return data


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
