"""A run's metrics, thinned for a chart; and drawn as lines for pages without JavaScript."""

from __future__ import annotations

from typing import Any

from training.models import Run
from training.thinning import Point, thin

POINTS = 1200  # of one line; a chart is hardly wider than that in pixels
WIDTH, HEIGHT = 600, 160  # the coordinates of the drawn lines
Line = dict[str, Any]


def tags_of(run: Run) -> list[str]:
    """What was measured, the losses first."""
    tags = run.metrics.present().values_list("tag", flat=True).distinct().order_by("tag")
    return sorted(tags, key=lambda tag: ("loss" not in tag, tag))


def lines(run: Run, tags: list[str], points: int = POINTS) -> list[Line]:
    """One line a tag: `{"tag", "steps": [...], "values": [...], "times": [...]}`, without tags that have no value."""
    found = [{"tag": tag, **curve(run, tag, points)[0]} for tag in tags]
    return [line for line in found if line["steps"]]


def curve(run: Run, tag: str, points: int) -> tuple[dict[str, list[Any]], int]:
    """One metric as `{"steps", "values", "times"}`, thinned to so many points, and how many it has in all."""
    rows = run.metrics.present().filter(tag=tag).order_by("step", "attempt").values_list("step", "value", "time")
    total = rows.count()
    kept = thin((Point(*row) for row in rows.iterator(chunk_size=5000)), total, points)
    columns: dict[str, list[Any]] = {
        "steps": [point.step for point in kept],
        "values": [point.value for point in kept],
        "times": [point.time for point in kept],
    }
    return columns, total


def drawing(drawn: list[Line]) -> dict[str, Any] | None:
    """The lines as SVG points in one coordinate system, and the values at its edges; None where there is nothing."""
    values = [value for line in drawn for value in line["values"]]
    if not values:
        return None
    steps = [step for line in drawn for step in line["steps"]]
    low, high, first, last = min(values), max(values), min(steps), max(steps)
    return {
        "low": low,
        "high": high,
        "first": first,
        "last": last,
        "width": WIDTH,
        "height": HEIGHT,
        "lines": [{"tag": line["tag"], "points": _points(line, (first, last), (low, high))} for line in drawn],
    }


def _points(line: Line, steps: tuple[int, int], values: tuple[float, float]) -> str:
    across = WIDTH / max(1, steps[1] - steps[0])
    up = HEIGHT / ((values[1] - values[0]) or 1.0)
    pairs = zip(line["steps"], line["values"], strict=True)
    return " ".join(
        f"{(step - steps[0]) * across:.1f},{HEIGHT - (value - values[0]) * up:.1f}" for step, value in pairs
    )
