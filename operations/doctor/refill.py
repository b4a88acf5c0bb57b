"""Adding missing rows from journal lines; the run itself stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.db import transaction
from django.db.models import Min

from engine.interface.journal import Event
from operations.doctor.finding import counted_are
from operations.doctor.tally import PAIR, Tally, batches, pairs
from samples.models import Sample
from training.metrics.summaries import sum_up
from training.models import Run
from training.progress.pace import Pace
from worker.ingest import Transcript


def refill(run: Run, tally: Tally, beat: Callable[[], object]) -> str:
    """Create the missing rows of `run.attempt`; return how many lines were added."""
    taken = sum(_Refill(run, events, lost).fill() for events, lost in tally.batches_lacking(run, run.attempt, beat))
    for events in batches(tally.path, beat):
        taken += _Refill(run, [event for event in events if event.sequence > 0], set()).fill_events(tally)
    _supersede(run)
    return f"{counted_are(taken, 'line')} in the database now."


class _Refill(Transcript):
    """Uses the methods of the worker's transcript, except those that change the run."""

    def __init__(self, run: Run, events: list[Event], lost: set[PAIR]) -> None:
        super().__init__(run, Pace.of(run.progress), events)
        self.lost = lost

    @transaction.atomic
    def fill(self) -> int:
        """Values; existing rows are left as they are."""
        self.metrics = [event for event in self.events if self.lost.intersection(pairs(event))]
        self._store_metrics()
        return len(self.metrics)

    @transaction.atomic
    def fill_events(self, tally: Tally) -> int:
        wanted = [event for event in self.events if self._is_wanted(event, tally)]
        return sum(self._make_rows(event, tally) for event in wanted)

    def _is_wanted(self, event: Event, tally: Tally) -> bool:
        return event.sequence in tally.timeline or event.sequence in tally.samples

    def _make_rows(self, event: Event, tally: Tally) -> bool:
        made = False
        if event.sequence in tally.timeline and not self._has("events", event):
            self._note(event)
            made = True
        for kind, told in (("sample", tally.samples), ("artifact", tally.artifacts)):
            there = event.sequence in told and Path(told[event.sequence]).exists()
            if there and not self._has(f"{kind}s", event):
                getattr(self, f"_take_{kind}")(event)
                made = True
        return made

    def _has(self, rows: str, event: Event) -> bool:
        return getattr(self.run, rows).filter(attempt=self.run.attempt, sequence=event.sequence).exists()


def _supersede(run: Run) -> None:
    """Mark values and samples of steps that a later attempt repeated as superseded, and rebuild the summaries."""
    later = run.metrics.filter(attempt__gt=run.attempt).aggregate(first=Min("step"))["first"]
    if later is not None:
        run.metrics.filter(attempt=run.attempt, step__gte=later, superseded=False).update(superseded=True)
        sum_up(run, later)
        Sample.objects.all().supersede(run, run.attempt + 1, later)
