"""The queue as pages and API show it: a lane for each worker, the runs that wait, and about when each will start."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Prefetch, Q
from django.utils.timezone import now

from system.models import Worker
from training.models import Run, RunQuerySet
from training.progress.time_left import seconds_left
from training.progress.waiting import reason

MOST_SHOWN = 200
PAST_RUNS = 300  # recent runs, whose durations give the estimates
LONG_TEXTS = ("notes", "traceback", "log_tail", "memory_estimate")
LONG = ("config", *LONG_TEXTS)


@dataclass
class Lane:
    """A worker with its run; `free_at` is when it takes the next run, None if that is unknown.

    `coming` are the runs that it is expected to start next, in that order.
    """

    worker: Worker
    run: Run | None
    free_at: datetime | None
    coming: list[Waiting] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.worker.state

    @property
    def takes_runs(self) -> bool:
        return self.worker.is_alive and self.worker.state != Worker.Status.DRAINING


@dataclass
class Waiting:
    """A waiting run: the reason, the expected start and worker, and the expected duration."""

    run: Run
    number: int
    reason: str
    takes: timedelta | None
    starts_at: datetime | None = None
    worker: str = ""

    @property
    def ends_at(self) -> datetime | None:
        return self.starts_at + self.takes if self.starts_at and self.takes else None


@dataclass
class Queue:
    lanes: list[Lane]
    waiting: list[Waiting]
    length: int


def read_queue() -> Queue:
    """The whole queue, with a number of database queries that does not grow with its length."""
    lanes = _lanes()
    queued: RunQuerySet = Run.objects.queued()
    shown = queued.with_progress().select_related("owner", "preset", "summary", "held_by", "after_run")
    runs = list(shown.defer(*LONG)[:MOST_SHOWN])
    alive = [lane.worker for lane in lanes if lane.worker.is_alive]
    times = PastTimes() if runs else None
    waiting = [
        Waiting(run, number, reason(run, alive), times.of(run) if times else None)
        for number, run in enumerate(runs, start=1)
    ]
    foresee(lanes, waiting)
    for lane in lanes:
        found = [one for one in waiting if one.worker == lane.worker.name]
        lane.coming = sorted(found, key=lambda one: one.starts_at or now())
    return Queue(lanes, waiting, queued.count() if len(runs) == MOST_SHOWN else len(runs))


def _lanes() -> list[Lane]:
    """Live workers, and lost workers with a run; the run's config is read for the time left."""
    active = Prefetch("runs", Run.objects.active().with_progress().defer(*LONG_TEXTS), to_attr="active_runs")
    lanes = []
    for worker in Worker.objects.prefetch_related(active):
        run = next(iter(worker.active_runs), None)  # type: ignore[attr-defined]
        if worker.is_alive or run is not None:
            lanes.append(Lane(worker, run, _free_at(run) if worker.is_alive else None))
    return lanes


def _free_at(run: Run | None) -> datetime | None:
    if run is None or run.status == Run.Status.STOPPING:
        return now()
    left = seconds_left(run)
    return None if left is None or run.status == Run.Status.PAUSED else now() + timedelta(seconds=left)


class PastTimes:
    """How long an epoch of recent runs took: the median by preset, else by model and method."""

    def __init__(self) -> None:
        self._by: dict[Any, list[float]] = defaultdict(list)
        ended = Run.objects.filter(status=Run.Status.FINISHED, progress__max_epoch__gt=0).exclude(
            Q(started_at=None) | Q(ended_at=None)
        )
        kind = ("preset_id", "summary__model_type", "summary__training_method")
        facts = (*kind, "started_at", "ended_at", "progress__max_epoch")
        for preset, model, method, began, end, epochs in ended.order_by("-ended_at").values_list(*facts)[:PAST_RUNS]:
            for_each = (end - began).total_seconds() / epochs
            self._by[model, method].append(for_each)
            if preset is not None:
                self._by[preset].append(for_each)

    def of(self, run: Run) -> timedelta | None:
        """The expected duration of the epochs that the run still has to train. None if no similar run was trained."""
        summary = getattr(run, "summary", None)
        known = self._by.get(run.preset_id) or (summary and self._by.get((summary.model_type, summary.training_method)))
        progress = run.progress
        if not known or not progress.max_epoch:
            return None
        return timedelta(seconds=median(known) * progress.max_epoch * (1 - progress.fraction_done))


def foresee(lanes: Iterable[Lane], waiting: list[Waiting]) -> None:
    """Estimate when each run will start: a free worker takes the first run that is ready.

    A run behind a run of unknown duration has no time either, unless another worker is free for it.
    """
    free: dict[str, datetime] = {lane.worker.name: lane.free_at for lane in lanes if lane.takes_runs and lane.free_at}
    ends: dict[uuid.UUID, datetime | None] = {lane.run.pk: lane.free_at for lane in lanes if lane.run}
    left = [one for one in waiting if one.run.held_at is None]
    while free and left:
        name = min(free, key=lambda worker: free[worker])
        chosen, at = _next(left, free[name], ends)
        if chosen is None:
            return
        left.remove(chosen)
        chosen.starts_at, chosen.worker = at, name
        ends[chosen.run.pk] = chosen.ends_at
        if chosen.ends_at is None:
            del free[name]
        else:
            free[name] = chosen.ends_at


def _next(
    left: list[Waiting], free: datetime, ends: dict[uuid.UUID, datetime | None]
) -> tuple[Waiting | None, datetime]:
    """The first run that is ready when the worker is free, else the next run to be ready."""
    best, best_at = None, free
    for one in left:
        ready = _ready_at(one.run, free, ends)
        if ready is not None and (best is None or ready < best_at):
            best, best_at = one, max(ready, free)
        if best is not None and best_at <= free:
            break
    return best, best_at


def _ready_at(run: Run, free: datetime, ends: dict[uuid.UUID, datetime | None]) -> datetime | None:
    """When the run waits only for a worker; None if that is unknown."""
    moment = free
    if run.after_run is not None and not run.comes_after_it:
        ends_at = ends.get(run.after_run.pk)
        if ends_at is None:
            return None
        moment = max(moment, ends_at)
    return max(moment, run.start_after) if run.start_after else moment
