"""Counts of one journal, in one pass that needs little memory: a run of a million steps fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.journal import Event, read_journal
from training.models import Run
from worker.ingest import TIMELINE

JUMP = 60.0  # seconds by which a line may be older than the line before
PAIR = tuple[str, int]  # a metric's tag and step


@dataclass
class Tally:
    """Only lines that should have rows are counted as events, samples, artifacts and values."""

    path: Path
    known_as_damaged: set[int]
    upto: int | None  # the last line that was read into the database; None for all
    before: float | None  # the start of the next attempt: later lines of this attempt are refused
    size: int = 0
    lines: int = 0
    damaged: int = 0
    missing_numbers: int = 0
    doubled: int = 0
    clock_jumps: int = 0
    unread: int = 0
    refused: int = 0
    values: int = 0
    steps: int = 0  # the sum of the steps of all values, to be compared with the rows' sum
    timeline: set[int] = field(default_factory=set)
    samples: dict[int, str] = field(default_factory=dict)
    artifacts: dict[int, str] = field(default_factory=dict)
    _sequence: int = 0
    _time: float = 0.0

    def add(self, event: Event) -> None:
        self.lines += 1
        if event.sequence < 1:
            self.damaged += 1
            self._sequence += 1  # it was the next line, whatever its content
            return
        self._check_order(event)
        try:
            if self.is_expected(event):
                self._count(event)
        except (KeyError, TypeError, ValueError, AttributeError):  # it lacks keys of its kind
            self.damaged += 1

    def is_expected(self, event: Event) -> bool:
        """Whether the database should have it; if not, it is counted by its kind."""
        if self.upto is not None and event.sequence > self.upto:
            self.unread += 1
            return False
        if self.before is not None and event.time > self.before:
            self.refused += 1
            return False
        return event.sequence not in self.known_as_damaged

    def batches_lacking(
        self, run: Run, attempt: int, beat: Callable[[], object]
    ) -> Iterator[tuple[list[Event], set[PAIR]]]:
        """For each stretch of the journal with values without a row: its events, and those values."""
        counter = Tally(self.path, self.known_as_damaged, self.upto, self.before)
        for events in batches(self.path, beat):
            expected = [event for event in events if event.sequence > 0 and counter.is_expected(event)]
            told = {pair for event in expected for pair in pairs(event)}
            if told and (lost := told - _stored(run, attempt, told)):
                yield expected, lost

    def _check_order(self, event: Event) -> None:
        if event.sequence <= self._sequence:
            self.doubled += 1
        else:
            self.missing_numbers += event.sequence - self._sequence - 1
            self._sequence = event.sequence
        self.clock_jumps += event.time < self._time - JUMP
        self._time = event.time

    def _count(self, event: Event) -> None:
        if event.kind == "metrics":
            for _, step in pairs(event):
                self.values += 1
                self.steps += step
        elif event.kind == "sample":
            self.samples[event.sequence] = str(event.data.get("path", ""))
        elif event.kind == "artifact":
            self.artifacts[event.sequence] = str(event.data.get("path", ""))
        if event.kind in TIMELINE:
            self.timeline.add(event.sequence)


def read_through(
    path: Path, damaged: set[int], upto: int | None, before: float | None, beat: Callable[[], object]
) -> Tally:
    tally = Tally(path, damaged, upto, before, size=path.stat().st_size)
    for events in batches(path, beat):
        for event in events:
            tally.add(event)
    return tally


def batches(path: Path, beat: Callable[[], object]) -> Iterator[list[Event]]:
    """The journal's events, about a MiB at a time."""
    events, offset = read_journal(path)
    while events:
        beat()
        yield events
        events, offset = read_journal(path, offset)


def pairs(event: Event) -> list[PAIR]:
    """The tags and steps of the values in it, without those that were not finite."""
    if event.kind != "metrics":
        return []
    step = int(event.data["step"])
    return [(tag, step) for tag, value in event.data["values"].items() if value is not None]


def last_moment(run: Run, attempt: int) -> float | None:
    """The start of the attempt after this one; None for the present attempt."""
    if attempt >= run.attempt:
        return None
    began = run.events.filter(attempt=attempt + 1, kind="status_changed", data__to=Run.Status.STARTING).first()
    return began.at.timestamp() if began else None


def _stored(run: Run, attempt: int, told: set[PAIR]) -> set[PAIR]:
    """With the tags given, both databases find these rows by their unique index."""
    steps = [step for _, step in told]
    tags = sorted({tag for tag, _ in told})
    rows = run.metrics.filter(tag__in=tags, step__range=(min(steps), max(steps)), attempt=attempt)
    return set(rows.values_list("tag", "step"))
