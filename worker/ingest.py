"""Storing the journal in the database: each event exactly once, even if a process dies in between.

The byte offset of the journal is stored in the same transaction as the events before it, and only if the run is still
in the reader's attempt and at the reader's offset: events of a stale attempt are refused there.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from engine.interface.files import total_size
from engine.interface.journal import FILE_NAME, Event, read_journal
from engine.interface.json_types import JsonObject
from samples.models import Sample
from training.live.publisher import ALL_RUNS, Message, command_message, envelope, group_of, state_messages
from training.logs.last_lines import last_lines
from training.metrics.summaries import spans, sum_up
from training.models import Artifact, Metric, Run, RunCommand, RunProgress
from training.progress.endings import known_reason
from training.progress.pace import Pace
from training.runs.retries import plan_retry
from web.database import REFUSALS, refuse_other_schema

logger = logging.getLogger(__name__)
UNSTORABLE = (*REFUSALS, ValueError, TypeError, OverflowError)  # the latter before any query
TIMELINE = {"started", "warning", "artifact", "removed", "failed", "ended", "damaged"}
PROGRESS = ("epoch", "epoch_step", "epoch_sample", "global_step", "max_step", "max_epoch")
LOG_BYTES = 65536  # most bytes of the log in one message
LIVE_METRICS = ("loss", "smooth_loss", "steps_per_second")


class StaleAttempt(Exception):
    """The run has a newer attempt, or another worker reads this journal: stop reading."""


class JournalReader:
    """Reads one attempt's journal into the database, and returns messages for its watchers."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._pace = Pace.of(run.progress)
        self._log_offset = _size(run.log_file)

    def read(self) -> list[Message]:
        """Store the new events; return the messages to publish. Raises StaleAttempt."""
        events, offset = read_journal(self.run.attempt_folder / FILE_NAME, self.run.progress.journal_offset)
        messages = take_in(self.run, self._pace, events, offset) if events else []
        return [*messages, *self._log_news()]

    def _log_news(self) -> list[Message]:
        if _size(self.run.log_file) <= self._log_offset:
            return []
        with self.run.log_file.open("rb") as file:
            file.seek(self._log_offset)
            text = file.read(LOG_BYTES)
        data = {"run_id": str(self.run.pk), "offset": self._log_offset, "text": text.decode(errors="replace")}
        self._log_offset += len(text)
        return [(group_of(self.run.pk), envelope("log", data))]


def take_in(run: Run, pace: Pace, events: list[Event], offset: int) -> list[Message]:
    """Store the events, which end at byte `offset`, in one transaction; return the messages to publish.

    If the database refuses an event, only that event is left out, and the timeline says so. Raises OtherSchema if it
    would refuse all of them.
    """
    begin = run.progress.journal_offset
    try:
        return Transcript(run, pace, events).store(offset)
    except Exception as error:
        run.progress.journal_offset = begin  # as in the database, since the transaction was rolled back
        if not isinstance(error, UNSTORABLE):
            raise
        refuse_other_schema()
        logger.warning("The database refuses events of run %s, so they are stored one by one: %s", run.pk, error)
        return _take_in_one_by_one(run, pace, events, offset)


@transaction.atomic
def _take_in_one_by_one(run: Run, pace: Pace, events: list[Event], offset: int) -> list[Message]:
    begin = run.progress.journal_offset
    messages: list[Message] = []
    for event in events:
        end = offset if event is events[-1] else begin
        try:
            messages += Transcript(run, pace, [event]).store(end)
        except UNSTORABLE as error:
            run.progress.journal_offset = begin
            messages += Transcript(run, pace, [_damaged(event, error)]).store(end)
    return messages


def _damaged(event: Event, error: Exception) -> Event:
    return Event(event.sequence, event.time, "damaged", {"kind": event.kind[:30], "why": str(error)[:500]})


class Transcript:
    """A batch of events for one transaction."""

    def __init__(self, run: Run, pace: Pace, events: list[Event]) -> None:
        self.run = run
        self.pace = pace
        self.events = events
        self.changes: JsonObject = {}
        self.progress: JsonObject = {}
        self.moves: list[tuple[str, str, JsonObject]] = []
        self.metrics: list[Event] = []
        self.messages: list[Message] = []

    @transaction.atomic
    def store(self, offset: int) -> list[Message]:
        self._lock()
        self.run.take_up_again("The worker is back.")
        for event in self.events:
            self._take(event)
        self._store_metrics()
        self._store_progress(offset)
        for status, detail, more in self.moves:
            if self._may_move_to(status):
                self.run.move_to(status, detail=detail, **more)
        if self.run.is_ended:
            self._close_commands()
            plan_retry(self.run)
        return [*self.messages, *state_messages(self.run)]

    def _lock(self) -> None:
        """Lock the run, so that no other process starts an attempt or reads the same journal."""
        fields = ("attempt", "status", "error_reason")
        # The run first, as everywhere: two processes that lock in different orders would block each other.
        locked = Run.objects.select_for_update(of=("self",)).values_list(*fields)
        attempt, status, reason = locked.get(pk=self.run.pk)
        offset = RunProgress.objects.values_list("journal_offset", flat=True).get(pk=self.run.pk)
        if (attempt, offset) != (self.run.attempt, self.run.progress.journal_offset):
            raise StaleAttempt(f"Run {self.run.pk} is no longer in attempt {self.run.attempt} at this offset.")
        self.run.status, self.run.error_reason = status, reason

    def _store_progress(self, offset: int) -> None:
        """Write the short row with each pass, and the long row only if the trainer reported something for it."""
        progress = self.run.progress
        last = self.events[-1].sequence or progress.journal_sequence
        progress.write(**self.progress, journal_offset=offset, journal_sequence=last)
        if self.changes:
            Run.objects.filter(pk=self.run.pk).update(**self.changes)
        self.run.refresh_from_db()
        self.run.progress = progress  # it is as new as the row, so it need not be read again

    def _may_move_to(self, status: str) -> bool:
        """A stopping run keeps its status, even if its process has not received the stop yet."""
        going_on = status in (Run.Status.RUNNING, Run.Status.PAUSED)
        return (
            self.run.is_active
            and self.run.status != status
            and not (going_on and self.run.status == Run.Status.STOPPING)
        )

    def _take(self, event: Event) -> None:
        """Store one event; an incomplete event must not block the events after it."""
        try:
            getattr(self, f"_take_{event.kind}", self._take_nothing)(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("Event %d of run %s is damaged (%r).", event.sequence, self.run.pk, error)
            event = _damaged(event, error)
        self._note(event)

    def _note(self, event: Event) -> None:
        if event.kind in TIMELINE:
            self.run.events.create(
                attempt=self.run.attempt,
                sequence=event.sequence or None,
                kind=event.kind,
                data=event.data,
                at=_moment(event),
            )

    # -- one method an event -----------------------------------------------------------------------------------

    def _take_nothing(self, event: Event) -> None:
        """An event that only gets a line in the timeline."""

    def _take_started(self, event: Event) -> None:
        self.pace.start(event.time)
        self._note_pace()
        self._move(Run.Status.RUNNING)

    def _take_status(self, event: Event) -> None:
        self.changes["status_text"] = str(event.data["text"])[:200]

    def _take_phase_progress(self, event: Event) -> None:
        data = event.data
        current, total = int(data["current"]), int(data["total"])
        self.progress["activity"] = {"phase": str(data["phase"])[:12], "current": current, "total": total}

    def _take_phase(self, event: Event) -> None:
        phase = event.data["phase"]
        self.progress["activity"] = {}
        self.pace.enter(phase, event.time)
        self._note_pace()
        self.changes["phase"] = phase
        self._move(Run.Status.PAUSED if phase == "paused" else Run.Status.RUNNING)

    def _take_progress(self, event: Event) -> None:
        self.progress |= {name: event.data[name] for name in PROGRESS}
        self.pace.take(int(event.data["global_step"]), event.time)
        self.progress |= {"seconds_per_step": self.pace.seconds_per_step, "since_step": [], "activity": {}}

    def _take_metrics(self, event: Event) -> None:
        values, _ = event.data["values"], int(event.data["step"])
        self.progress |= {name: values[name] for name in LIVE_METRICS if values.get(name) is not None}
        if values.get("peak_memory_gb") is not None:
            peak = max(int(values["peak_memory_gb"] * 1024**3), self.progress.get("memory_peak", 0))
            self.progress["memory_peak"] = max(peak, self.run.progress.memory_peak or 0)
        self.metrics.append(event)

    def _take_sample_progress(self, event: Event) -> None:
        data = {**event.data, "run_id": str(self.run.pk)}
        if data.pop("path", ""):
            data["url"] = f"/api/runs/{self.run.pk}/preview?v={event.sequence}"
        text = envelope(f"sample_{event.data['kind']}_progress", data)
        self.messages += [(ALL_RUNS, text), (group_of(self.run.pk), text)]

    def _take_sample(self, event: Event) -> None:
        data, progress = event.data, event.data["progress"]
        self.pace.drew(data["kind"])
        sample = Sample.objects.create(
            run=self.run,
            attempt=self.run.attempt,
            sequence=event.sequence,
            kind=data["kind"],
            path=data["path"],
            index=data["index"],
            prompt=data["prompt"],
            settings=data["settings"],
            global_step=progress["global_step"],
            epoch=progress["epoch"],
            is_ema=data["is_ema"],
            created_at=_moment(event),
        )
        news = {"run_id": str(self.run.pk), "sample_count": 1, "samples": [sample.to_dict()]}
        text = envelope(f"sample_{sample.kind}", news)
        self.messages += [(ALL_RUNS, text), (group_of(self.run.pk), text)]

    def _take_artifact(self, event: Event) -> None:
        data = event.data
        if data.get("earlier"):
            self._note_that_it_moved(data["path"], data["earlier"])
        artifact = Artifact.objects.create(
            run=self.run,
            attempt=self.run.attempt,
            sequence=event.sequence,
            kind=data["kind"],
            path=data["path"],
            size=data.get("size") or total_size(Path(data["path"])),
            sha256=data.get("sha256") or "",
            global_step=data["global_step"],
            epoch=data["epoch"],
            created_at=_moment(event),
        )
        self.messages.append((group_of(self.run.pk), envelope("artifact", artifact.to_dict())))

    def _note_that_it_moved(self, path: str, now_at: str) -> None:
        """Of any run on this host: otherwise the other run's row would point at, and delete, the new file."""
        worker = self.run.worker
        here = Q(run=self.run) | Q(run__worker__host=worker.host) if worker else Q(run=self.run)
        Artifact.objects.filter(here, path=path, deleted_at=None).update(path=now_at)

    def _take_removed(self, event: Event) -> None:
        """Deleted by the engine, according to the run's config."""
        there = self.run.artifacts.filter(path=event.data["path"], deleted_at=None)
        there.update(deleted_at=_moment(event), deleted_why=str(event.data["why"])[:200])

    def _take_command_done(self, event: Event) -> None:
        self._end_command(event, RunCommand.Status.DONE)

    def _take_command_refused(self, event: Event) -> None:
        self._end_command(event, RunCommand.Status.REFUSED)

    def _take_failed(self, event: Event) -> None:
        data = event.data
        changes = {"error": data["message"], "traceback": data["traceback"]}
        changes |= {"error_reason": known_reason(data["reason"]), "log_tail": last_lines(self.run.log_file)}
        self._move(Run.Status.FAILED, data["message"], **changes, ended_at=_moment(event))

    def _take_ended(self, event: Event) -> None:
        if event.data["reason"] == "stopped":
            reason = self._who_stopped()
            self._move(Run.Status.STOPPED, error_reason=reason, ended_at=_moment(event))
        else:
            self._move(Run.Status.FINISHED, ended_at=_moment(event))

    def _who_stopped(self) -> str:
        """Stopped by a user's command, by the command of the server's shutdown, or by a signal without a command."""
        stops = self.run.commands.filter(kind="stop", attempt=self.run.attempt).order_by("requested_at")
        if (first := stops.first()) is None:
            return "signal"
        return "shutdown" if first.arguments.get("shutdown") else "stopped"

    # -- helpers -----------------------------------------------------------------------------------------------

    def _note_pace(self) -> None:
        pace, until = self.pace, self.pace.busy_until
        self.progress |= {"times": dict(pace.times), "since_step": list(pace.since_step)}
        self.progress["busy_until"] = None if until is None else datetime.fromtimestamp(until, UTC)

    def _move(self, status: str, detail: str = "", **changes: Any) -> None:
        self.moves.append((status, detail, changes))

    def _end_command(self, event: Event, status: str) -> None:
        command = self.run.commands.filter(pk=event.data["id"], status__in=RunCommand.OPEN).first()
        if command is not None:
            command.close(status, event.data.get("detail", ""))
            self.messages.append(command_message(command))

    def _close_commands(self) -> None:
        """Close the commands that are open at the end of the run: a stop is done, others cannot be done any more."""
        done = f"The run ended at step {self.run.progress.global_step}."
        closed = self.run.close_commands(done, "The run ended before this was done.")
        self.messages += [command_message(command) for command in closed]

    def _store_metrics(self) -> None:
        if not self.metrics:
            return
        self._supersede(min(event.data["step"] for event in self.metrics))
        rows = [
            Metric(
                run=self.run, attempt=self.run.attempt, tag=tag, step=event.data["step"], value=value, time=event.time
            )
            for event in self.metrics
            for tag, value in event.data["values"].items()
            if value is not None
        ]
        Metric.objects.bulk_create(rows, ignore_conflicts=True)
        if rows:
            sum_up(self.run, min(row.step for row in rows))
        self.messages.append((group_of(self.run.pk), envelope("metrics", self._columns())))

    def _supersede(self, first_step: int) -> None:
        """Mark values and samples of earlier attempts from this step on, since these steps are trained again."""
        if self.run.attempt > 1:  # with the tags, the index is used, so this query is cheap
            later = self.run.metrics.present().filter(tag__in=list(spans(self.run)), step__gte=first_step)
            later.filter(attempt__lt=self.run.attempt).update(superseded=True)
            Sample.objects.all().supersede(self.run, self.run.attempt, first_step)

    def _columns(self) -> JsonObject:
        tags = sorted({tag for event in self.metrics for tag in event.data["values"]})
        return {
            "run_id": str(self.run.pk),
            "steps": [event.data["step"] for event in self.metrics],
            "times": [event.time for event in self.metrics],
            "values": {tag: [event.data["values"].get(tag) for event in self.metrics] for tag in tags},
        }


def _moment(event: Event) -> datetime:
    return datetime.fromtimestamp(event.time, UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
