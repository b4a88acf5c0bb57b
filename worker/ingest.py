"""From the journal into the database: each event exactly once, whatever dies.

The byte offset up to which the journal was read is stored in the same transaction as what was read, and only if the
run is still in the attempt and at the offset that the reader believes: a stale attempt's words are refused there.
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
UNSTORABLE = (*REFUSALS, ValueError, TypeError, OverflowError)  # the latter before the database is even asked
TIMELINE = {"started", "warning", "artifact", "removed", "failed", "ended", "damaged"}
PROGRESS = ("epoch", "epoch_step", "epoch_sample", "global_step", "max_step", "max_epoch")
LOG_BYTES = 65536  # at most so much of the log in one message
LIVE_METRICS = ("loss", "smooth_loss", "steps_per_second")


class StaleAttempt(Exception):
    """The run has a newer attempt, or another worker reads this journal: stop reading."""


class JournalReader:
    """Reads one attempt's journal into the database, and says what its watchers should hear."""

    def __init__(self, run: Run):
        self.run = run
        self._pace = Pace.of(run.progress)
        self._log_offset = _size(run.log_file)

    def read(self) -> list[Message]:
        """Take in what is new; return the messages to publish. Raises StaleAttempt."""
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

    Where the database refuses one of them, only that one is left out, and the timeline says so. Raises OtherSchema
    where it would refuse them all.
    """
    begin = run.progress.journal_offset
    try:
        return Transcript(run, pace, events).store(offset)
    except UNSTORABLE as error:
        run.progress.journal_offset = begin  # as in the database, where nothing of this has happened
        refuse_other_schema()
        logger.warning("The database refuses what run %s says, so it is taken in line by line: %s", run.pk, error)
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
    """A batch of events on their way into one transaction."""

    def __init__(self, run: Run, pace: Pace, events: list[Event]):
        self.run = run
        self.pace = pace
        self.events = events
        self.changes: dict[str, Any] = {}
        self.progress: dict[str, Any] = {}
        self.moves: list[tuple[str, str, dict[str, Any]]] = []
        self.metrics: list[Event] = []
        self.messages: list[Message] = []

    @transaction.atomic
    def store(self, offset: int) -> list[Message]:
        self._lock()
        self.run.take_up_again("Its worker is back.")
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
        """Both rows, so that nobody starts another attempt or reads the same journal meanwhile."""
        fields = ("run__attempt", "journal_offset", "run__status", "run__error_reason")
        locked = RunProgress.objects.select_for_update().values_list(*fields)
        attempt, offset, status, reason = locked.get(pk=self.run.pk)
        if (attempt, offset) != (self.run.attempt, self.run.progress.journal_offset):
            raise StaleAttempt(f"Run {self.run.pk} is no longer in attempt {self.run.attempt} at this offset.")
        self.run.status, self.run.error_reason = status, reason

    def _store_progress(self, offset: int) -> None:
        """With each pass the short row; the long one only where the trainer said something that belongs there."""
        progress = self.run.progress
        last = self.events[-1].sequence or progress.journal_sequence
        progress.write(**self.progress, journal_offset=offset, journal_sequence=last)
        if self.changes:
            Run.objects.filter(pk=self.run.pk).update(**self.changes)
        self.run.refresh_from_db()
        self.run.progress = progress  # it is as new as the row, and need not be read again

    def _may_move_to(self, status: str) -> bool:
        """A run that is to stop does not look as if it would not, though its process has not heard of it yet."""
        going_on = status in (Run.Status.RUNNING, Run.Status.PAUSED)
        return (
            self.run.is_active
            and self.run.status != status
            and not (going_on and self.run.status == Run.Status.STOPPING)
        )

    def _take(self, event: Event) -> None:
        """Take one event in; one that lacks what its kind has must not hold up all that follow."""
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
        """An event that needs no more than its line in the timeline."""

    def _take_started(self, event: Event) -> None:
        self.pace.start(event.time)
        self._note_pace()
        self._move(Run.Status.RUNNING)

    def _take_status(self, event: Event) -> None:
        self.changes["status_text"] = str(event.data["text"])[:200]

    def _take_phase(self, event: Event) -> None:
        phase = event.data["phase"]
        self.pace.enter(phase, event.time)
        self._note_pace()
        self.changes["phase"] = phase
        self._move(Run.Status.PAUSED if phase == "paused" else Run.Status.RUNNING)

    def _take_progress(self, event: Event) -> None:
        self.progress |= {name: event.data[name] for name in PROGRESS}
        self.pace.take(int(event.data["global_step"]), event.time)
        self.progress |= {"seconds_per_step": self.pace.seconds_per_step, "since_step": []}

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
        """Of this run or of another one on this host: else that one's row would offer, and delete, the new file."""
        worker = self.run.worker
        here = Q(run=self.run) | Q(run__worker__host=worker.host) if worker else Q(run=self.run)
        Artifact.objects.filter(here, path=path, deleted_at=None).update(path=now_at)

    def _take_removed(self, event: Event) -> None:
        """The engine made room, as the run's config says."""
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
        """A person by a command, the server's shutdown by another, or a signal without any."""
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
        """Nothing can come of what is still open when the run has ended; a stop is done by that very end."""
        done = f"The run ended at step {self.run.progress.global_step}."
        closed = self.run.close_commands(done, "The run ended before it came to this.")
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
        """What an earlier attempt measured from this step on is trained again now."""
        if self.run.attempt > 1:  # with the tags, it is found by the index, so this costs little each time
            later = self.run.metrics.present().filter(tag__in=list(spans(self.run)), step__gte=first_step)
            later.filter(attempt__lt=self.run.attempt).update(superseded=True)

    def _columns(self) -> dict[str, Any]:
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
