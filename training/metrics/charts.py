"""A run's metrics, thinned for a chart, and as SVG lines for pages without JavaScript."""

from __future__ import annotations

from typing import Any

from engine.interface.json_types import JsonObject
from training.metrics.summaries import old_values, spans, thinned
from training.metrics.thinning import Point, Thinner
from training.models import Run
from web.natural import natural

MOST_STEPS = 2**53
POINTS = 1200  # points of one line; a chart is rarely wider than this in pixels
WIDTH, HEIGHT = 600, 160  # the coordinates of the SVG lines
Line = dict[str, Any]


def tags_of(run: Run) -> list[str]:
    """The measured tags, losses first."""
    return sorted(spans(run), key=lambda tag: ("loss" not in tag, natural(tag)))


def lines(run: Run, tags: list[str], points: int = POINTS) -> list[Line]:
    """A line for each tag with values: `{"tag", "steps": [...], "values": [...], "times": [...]}`."""
    found = curves(run, tags, points)
    return [{"tag": tag, **found[tag]} for tag in tags if tag in found]


def curves(
    run: Run, tags: list[str], points: int, first: int = 0, last: int = MOST_STEPS, old: bool = False
) -> dict[str, JsonObject]:
    """By tag, `{"steps", "values", "times"}` thinned to at most `points` points, and `total`, the number of values.

    If values were left out, `means` is an extra curve. `first` and `last` are the steps to show; `old` selects the
    values of steps that were trained again.
    """
    known = spans(run)
    shown = [known[tag] for tag in tags if tag in known]
    if not shown:
        return {}
    first = max(first, min(span[0] for span in shown))
    last = min(last, max(span[1] for span in shown))
    if last < first:
        return {}
    found = (old_values if old else thinned)(run, tags, first, last, points)
    return {tag: _as_columns(thinner) for tag, thinner in found.items()}


def _as_columns(thinner: Thinner) -> JsonObject:
    columns = {**_columns(thinner.points()), "total": thinner.count}
    means = thinner.means()
    return {**columns, "means": _columns(means)} if means else columns


def _columns(points: list[Point]) -> dict[str, list[Any]]:
    return {
        "steps": [point.step for point in points],
        "values": [point.value for point in points],
        "times": [point.time for point in points],
    }


def drawing(drawn: list[Line]) -> JsonObject | None:
    """The lines as SVG points in one coordinate system, and the values at its edges; None without points."""
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
        "lines": [{**line, "points": _points(line, (first, last), (low, high))} for line in drawn],
    }


def _points(line: Line, steps: tuple[int, int], values: tuple[float, float]) -> str:
    across = WIDTH / max(1, steps[1] - steps[0])
    up = HEIGHT / ((values[1] - values[0]) or 1.0)
    pairs = zip(line["steps"], line["values"], strict=True)
    return " ".join(
        f"{(step - steps[0]) * across:.1f},{HEIGHT - (value - values[0]) * up:.1f}" for step, value in pairs
    )
