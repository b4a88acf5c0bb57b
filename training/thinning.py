"""Fewer points for a chart that look the same: the lowest and the highest of each stretch are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Point(NamedTuple):
    step: int
    value: float
    time: float


def thin(points: Iterable[Point], count: int, limit: int) -> list[Point]:
    """At most `limit` (4 or more) of the `count` points, in their order: first, last, and each stretch's extremes.

    Reads the points once and holds no more than it returns, so they may come straight from a database.
    """
    if count <= limit:
        return list(points)
    return list(_thinned(points, count, limit))


def _thinned(points: Iterable[Point], count: int, limit: int) -> Iterator[Point]:
    stretches = (limit - 2) // 2
    present, lowest, highest = -1, None, None
    for index, point in enumerate(points):
        if index == 0 or index == count - 1:
            yield from _in_order(lowest, highest)
            lowest = highest = None
            yield point
            continue
        stretch = (index - 1) * stretches // (count - 2)
        if stretch != present or lowest is None or highest is None:
            yield from _in_order(lowest, highest)
            present, lowest, highest = stretch, point, point
        elif point.value < lowest.value:
            lowest = point
        elif point.value > highest.value:
            highest = point


def _in_order(lowest: Point | None, highest: Point | None) -> list[Point]:
    return sorted({point for point in (lowest, highest) if point is not None})
