"""The metrics tab: the metrics of each chart, their extremes in a table, and the marks at steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from engine.interface.json_types import JsonObject
from training.metrics.charts import curves, drawing, tags_of
from training.models import Run
from web.natural import natural

POINTS = 900  # points of each line; a chart is rarely wider than this in pixels
DRAWN_POINTS = 64  # points of each line in the SVG for pages without scripts
MOST_MARKS = 400
MOST_CHARTS = 40
GROUPS: tuple[tuple[str, Any, Callable[[str], bool]], ...] = (
    ("loss", _("Loss"), lambda tag: "loss" in tag),
    ("rates", _("Learning rates"), lambda tag: tag.startswith("lr/") or "learning_rate" in tag),
    ("speed", _("Speed (steps per second)"), lambda tag: tag == "steps_per_second"),
    ("memory", _("Memory (GiB)"), lambda tag: tag.endswith("memory_gb")),
    ("temperature", _("GPU temperature (°C)"), lambda tag: tag == "gpu_temperature_c"),
    ("use", _("GPU use (%)"), lambda tag: tag == "gpu_percent"),
    ("power", _("GPU power (W)"), lambda tag: tag == "gpu_power_w"),
)


@dataclass(frozen=True)
class ChartRow:
    """One metric in a chart's table; values with the steps at which they were measured."""

    tag: str
    last: float
    lowest: tuple[float, int]
    highest: tuple[float, int]


@dataclass(frozen=True)
class Chart:
    key: str
    title: Any
    rows: list[ChartRow]
    drawing: JsonObject | None
    address: str  # address of its curves in the API

    @property
    def tags(self) -> list[str]:
        return [row.tag for row in self.rows]


def charts_of(run: Run) -> list[Chart]:
    """A chart for each group of metrics with values, losses first."""
    found = curves(run, tags_of(run), DRAWN_POINTS)
    groups: dict[tuple[str, Any], list[str]] = {}
    for tag in found:
        groups.setdefault(_group_of(tag), []).append(tag)
    order = [group[0] for group in GROUPS]
    ranked = sorted(groups.items(), key=lambda item: order.index(item[0][0]) if item[0][0] in order else len(order))
    return [_chart(run, group, sorted(tags, key=natural), found) for group, tags in ranked[:MOST_CHARTS]]


def _group_of(tag: str) -> tuple[str, Any]:
    for key, title, holds in GROUPS:
        if holds(tag):
            return key, title
    return f"of-{slugify(tag)}", tag.replace("_", " ")


def _chart(run: Run, group: tuple[str, Any], tags: list[str], found: dict[str, JsonObject]) -> Chart:
    key, title = group
    drawn = drawing([{"tag": tag, **found[tag]} for tag in tags])
    query = urlencode([("points", POINTS), *(("tag", tag) for tag in tags)])
    address = f"{reverse('api:run-metrics', args=[run.pk])}?{query}"
    return Chart(key, title, [_row(tag, found[tag]) for tag in tags], drawn, address)


def _row(tag: str, curve: JsonObject) -> ChartRow:
    pairs = list(zip(curve["values"], curve["steps"], strict=True))
    return ChartRow(tag, pairs[-1][0], min(pairs), max(pairs))


def marks_of(run: Run) -> list[JsonObject]:
    """The run's events to mark: at a step, or at a time if the step is unknown."""
    steps = list(run.samples.present().order_by("global_step").values_list("global_step", flat=True).distinct())
    samples = steps[:: 1 + len(steps) // MOST_MARKS]
    files = run.artifacts.order_by("created_at").values_list("kind", "global_step")[:MOST_MARKS]
    starts = run.events.filter(kind="started", attempt__gt=1).values_list("at", flat=True)[:MOST_MARKS]
    return [
        *({"kind": "sample", "step": step} for step in samples),
        *({"kind": kind, "step": step} for kind, step in files),
        *({"kind": "resume", "time": at.timestamp()} for at in starts),
    ]
