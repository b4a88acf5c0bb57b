"""Natural order of names: 2 before 10."""

from __future__ import annotations

import re

NUMBERS = re.compile(r"(\d+)")


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key with `9` before `10`, and capitals among the small letters."""
    parts = NUMBERS.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part) for part in parts if part]
