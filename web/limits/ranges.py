"""The header Range: one part of a file, or a few that do not overlap; anything else cannot be met."""

from __future__ import annotations

import itertools
import re

from web.limits.table import limit

PART = re.compile(r"(\d{0,18})-(\d*)", re.ASCII)
MOST_DIGITS = 18  # of a number; no file has more bytes
ENDLESS = 10**MOST_DIGITS
Span = tuple[int, int]


def is_range(header: str) -> bool:
    """False for nonsense, which no file can meet, whatever its size."""
    return spans_of(header, ENDLESS) is not None


def spans_of(header: str, size: int) -> list[Span] | None:
    """The parts that a Range asks for; None if it is nonsense, asks for too many, or for the same bytes twice."""
    unit, _equals, listed = header.partition("=")
    parts = listed.split(",", limit("RANGES"))
    spans = [_part(part.strip(), size) for part in parts] if unit.strip().lower() == "bytes" else [None]
    if None in spans or len(parts) > limit("RANGES"):
        return None
    found = sorted(span for span in spans if span is not None)
    is_twice = any(after[0] < before[1] for before, after in itertools.pairwise(found))
    return None if is_twice else found


def _part(part: str, size: int) -> Span | None:
    """(first byte, byte after the last) of `0-99`, `100-` or `-100`; None if no byte of the file is in it."""
    match = PART.fullmatch(part)
    if match is None or not any(match.groups()):
        return None
    first, last = match[1], match[2] if len(match[2]) <= MOST_DIGITS else str(size)
    if last and first and int(last) < int(first):
        return None
    begin, end = (int(first), min(int(last) + 1, size) if last else size) if first else (max(0, size - int(last)), size)
    return (begin, end) if begin < end else None
