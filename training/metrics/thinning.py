"""Fewer points for a chart that looks the same: the lowest and the highest point of each interval are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Point(NamedTuple):
    step: int
    value: float
    time: float


@dataclass(slots=True)
class Stretch:
    """The sum, count and extremes of values of neighbouring steps."""

    count: int
    total: float
    low: Point
    high: Point

    def take(self, other: Stretch) -> None:
        self.count += other.count
        self.total += other.total
        if other.low.value < self.low.value:
            self.low = other.low
        if other.high.value > self.high.value:
            self.high = other.high

    @property
    def mean(self) -> Point:
        """The mean value, between the extremes."""
        step, time = (self.low.step + self.high.step) // 2, (self.low.time + self.high.time) / 2
        return Point(step, self.total / self.count, time)


@dataclass
class Thinner:
    """Takes a curve's values in the order of their steps, and holds at most `limit` (4 or more) points.

    The curve between the steps `first` and `last` is divided into intervals of equal width.
    """

    first: int
    last: int
    limit: int
    count: int = 0
    _parts: int = 1
    _all: list[Point] | None = field(default_factory=list)
    _stretches: dict[int, Stretch] = field(default_factory=dict)
    _ends: list[Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._parts = max(1, (self.limit - 2) // 2)

    def take(self, stretch: Stretch) -> None:
        begin, end = (stretch.low, stretch.high) if stretch.low <= stretch.high else (stretch.high, stretch.low)
        self._ends = [self._ends[0] if self._ends else begin, end]
        self.count += stretch.count
        if stretch.count > 1 or self.count > self.limit:
            self._all = None
        elif self._all is not None:
            self._all.append(stretch.low)
        held = self._stretches.setdefault(self._number(stretch.low.step), stretch)
        if held is not stretch:
            held.take(stretch)

    def _number(self, step: int) -> int:
        """The index of the interval; a summary may span the end of an interval."""
        number = (step - self.first) * self._parts // (self.last - self.first + 1)
        return min(max(0, number), self._parts - 1)

    def stretches(self) -> list[Stretch]:
        """The intervals with values, in order."""
        return list(self._stretches.values())

    def points(self) -> list[Point]:
        """All points if they are few enough, else the first, the last, and each interval's extremes, in order."""
        if self._all is not None:
            return self._all
        extremes = (point for stretch in self._stretches.values() for point in (stretch.low, stretch.high))
        return sorted({*self._ends, *extremes})

    def means(self) -> list[Point]:
        """The mean of each interval; empty if all values are among the points."""
        return [] if self._all is not None else sorted(stretch.mean for stretch in self._stretches.values())
