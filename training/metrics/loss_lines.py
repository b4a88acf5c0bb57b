"""The small loss line of a run in the table of runs, from the summaries of its metrics."""

from __future__ import annotations

import math
import time
from itertools import groupby

from training.metrics.summaries import thinned
from training.metrics.thinning import Stretch
from training.models import Run, RunSummary

POINTS = 40
FINER = 4  # a point is the mean of at least this many summaries, since a summary may span two points
TAGS = ("smooth_loss", "loss")
SECONDS = 20  # seconds between two updates of a training run


class LossLine:
    """Updates the loss line of a training run at intervals."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._due = 0.0

    def renew(self) -> None:
        if time.monotonic() >= self._due:
            draw_loss(self.run)
            self._due = time.monotonic() + SECONDS


def draw_loss(run: Run) -> None:
    """Store the current loss line."""
    RunSummary.objects.filter(run=run).update(loss_line=loss_line(run))


def loss_line(run: Run) -> list[float]:
    """The mean loss in each of POINTS equal intervals with values; empty if no loss was measured."""
    for tag in TAGS:
        last = run.metrics.present().filter(tag=tag).order_by("-step").values_list("step", flat=True).first()
        if last is not None:
            curves = thinned(run, [tag], 0, last, 2 * FINER * POINTS + 2)
            return _means(curves[tag].stretches(), last + 1) if tag in curves else []
    return []


def _means(stretches: list[Stretch], steps: int) -> list[float]:
    points = groupby(stretches, lambda stretch: stretch.low.step * POINTS // steps)
    means = (_mean(list(some)) for _, some in points)
    return [float(f"{mean:.5g}") for mean in means if math.isfinite(mean)]


def _mean(stretches: list[Stretch]) -> float:
    return sum(stretch.total for stretch in stretches) / sum(stretch.count for stretch in stretches)
