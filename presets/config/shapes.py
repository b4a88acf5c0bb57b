"""The shapes that a sample can have."""

from __future__ import annotations

RATIOS = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))  # width to height


def size_of(ratio: tuple[int, int], edge: int) -> tuple[int, int]:
    """Width and height with about as many pixels as a square with this edge, in steps that models can draw."""
    wide, high = ratio
    step = 64 if edge >= 512 else 8
    sides = (edge * (wide / high) ** 0.5, edge * (high / wide) ** 0.5)
    width, height = (max(step, round(side / step) * step) for side in sides)
    return width, height
