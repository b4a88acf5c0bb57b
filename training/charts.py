"""A run's metrics, thinned for a chart; and drawn as lines for pages without JavaScript."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Max, Min

from training.models import Run

POINTS = 1200  # of one line; a chart is hardly wider than that in pixels
WIDTH, HEIGHT = 600, 160  # the coordinates of the drawn lines
Line = dict[str, Any]


def tags_of(run: Run) -> list[str]:
    """What was measured, the losses first."""
    tags = run.metrics.present().values_list("tag", flat=True).distinct().order_by("tag")
    return sorted(tags, key=lambda tag: ("loss" not in tag, tag))


def lines(run: Run, tags: list[str], points: int = POINTS) -> list[Line]:
    """One line a tag: `{"tag", "steps": [...], "values": [...], "times": [...]}`, without tags that have no value."""
    found = [_line(run, tag, points) for tag in tags]
    return [line for line in found if line["steps"]]


def _line(run: Run, tag: str, points: int) -> Line:
    """All values where they are few, else the least and the greatest of equally wide buckets of steps."""
    rows = run.metrics.present().filter(tag=tag)
    ends = rows.aggregate(first=Min("step"), last=Max("step"))
    width = 1 if ends["first"] is None else max(1, 2 * (ends["last"] - ends["first"] + 1) // points)
    values = list(rows.order_by("step").values_list("step", "value", "time")) if width <= 2 else _thinned(rows, width)
    steps, numbers, times = zip(*values, strict=True) if values else ((), (), ())
    return {"tag": tag, "steps": list(steps), "values": list(numbers), "times": list(times)}


def _thinned(rows: Any, width: int) -> list[tuple[int, float, float]]:
    buckets = (
        rows.annotate(bucket=F("step") / width)
        .values("bucket")
        .annotate(step_low=Min("step"), low=Min("value"), high=Max("value"), start=Min("time"), end=Max("time"))
        .order_by("bucket")
    )
    return [
        point
        for row in buckets
        for point in (
            (row["step_low"], row["low"], row["start"]),
            (row["step_low"] + width // 2, row["high"], row["end"]),
        )
    ]


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
