"""Finding lines in a log of any length: the system maps the file, and only matching lines are copied."""

from __future__ import annotations

import heapq
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.logs.tail import fold

MOST_LINES = 300
LONGEST = 500  # characters of a line
PIECE = 1 << 20  # bytes
ERRORS = (b"ERROR", b"CRITICAL", b"FATAL", b"Traceback (most recent call last)", b"Error:", b"Exception:")
LEVELS = {"warning": (b"WARN", b"Warning:", *ERRORS), "error": ERRORS}


@dataclass(frozen=True)
class FoundLine:
    """A line that starts at this byte of the log."""

    offset: int
    text: str


@dataclass(frozen=True)
class LogMatches:
    lines: list[FoundLine]
    is_all: bool


def search(path: Path, words: str = "", level: str = "", piece: int = PIECE) -> LogMatches:
    """The first lines that contain the words, in any case, and have the level (`warning` includes errors)."""
    lines: list[FoundLine] = []
    for line in _lines(path, words, LEVELS.get(level, ()), piece):
        if len(lines) == MOST_LINES:
            return LogMatches(lines, False)
        lines.append(line)
    return LogMatches(lines, True)


def first_error(path: Path) -> FoundLine | None:
    return next(_lines(path, "", ERRORS, PIECE), None)


def _lines(path: Path, words: str, marks: tuple[bytes, ...], size: int) -> Iterator[FoundLine]:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
        place, end = 0, 0
        for place in _places(log, size, (words.encode(),), True) if words else _places(log, size, marks):
            if place < end:
                continue  # in the same line
            begin = log.rfind(b"\n", 0, place) + 1
            end = log.find(b"\n", place) + 1 or len(log)
            line = log[begin:end]
            if not words or not marks or any(mark in line for mark in marks):
                yield FoundLine(begin, fold(line.decode(errors="replace")).strip()[:LONGEST])


def _places(log: mmap.mmap, size: int, words: tuple[bytes, ...], any_case: bool = False) -> Iterator[int]:
    """The positions of any of the words, in order; in parts, so that other threads can run in between."""
    words = tuple(word.lower() for word in words) if any_case else words
    beyond = max(map(len, words), default=1) - 1
    for begin in range(0, len(log), size):
        piece = log[begin : begin + size + beyond]
        found = (_in_piece(piece.lower() if any_case else piece, word, size) for word in words)
        yield from (begin + place for place in heapq.merge(*found))


def _in_piece(piece: bytes, word: bytes, size: int) -> Iterator[int]:
    """Each word is searched on its own, which is much faster than a pattern of several words."""
    place = piece.find(word)
    while 0 <= place < size:
        yield place
        place = piece.find(word, place + 1)
