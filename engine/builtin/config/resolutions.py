"""Training resolutions as a config writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Resolution:
    """A training size in pixels; unless `exact`, only its area is kept and the sides follow the picture."""

    width: int
    height: int
    exact: bool = False


def parse_resolution(text: str) -> list[Resolution]:
    """Read `512` (an area of 512x512), `512,768` (both areas) or `1024x768` (exactly that width and height).

    Raises ValueError with a sentence for the user.
    """
    return [_parse_one(part.strip()) for part in text.split(",")]


def _parse_one(text: str) -> Resolution:
    sides = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not sides:
        raise ValueError(f"{text!r} is not a resolution; write 512, or 512,768, or 1024x768")
    width, height = int(sides[1]), int(sides[2] or sides[1])
    if not (8 <= width <= LARGEST_SIDE and 8 <= height <= LARGEST_SIDE):
        raise ValueError(f"{text!r} is out of range; choose sides from 8 to {LARGEST_SIDE} pixels")
    return Resolution(width, height, exact=sides[2] is not None)
