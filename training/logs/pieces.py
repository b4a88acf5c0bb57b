"""Reading a run's log in parts."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LogPiece:
    """A part of a log; the next part starts at `next_offset`. All numbers are bytes."""

    offset: int
    next_offset: int
    size: int
    text: str


def read_log(path: Path, offset: int, limit: int) -> LogPiece:
    """At most `limit` bytes from `offset` on; a negative offset counts from the end.

    An incomplete character is left for the next part. A missing log is empty.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(begin)
            content = file.read(limit)
    except FileNotFoundError:
        return LogPiece(0, 0, 0, "")
    text, taken = codecs.utf_8_decode(content, "replace", False)
    return LogPiece(begin, begin + taken, max(size, begin + taken), text)
