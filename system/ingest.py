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
from django.utils.timezone import now

from engine.interface.journal import FILE_NAME, Event, read_journal
from samples.models import Sample
from training.models import Artifact, Metric, Run, RunCommand
from training.publisher import ALL_RUNS, Message, command_message, envelope, group_of, state_messages

logger = logging.getLogger(__name__)
TIMELINE = {"started", "warning", "artifact", "failed", "ended", "damaged"}
PROGRESS = ("epoch", "epoch_step", "epoch_sample", "global_step", "max_step", "max_epoch")
LOG_BYTES = 65536  # at most so much of the log in one message
LIVE_METRICS = ("loss", "smooth_loss", "steps_per_second")


class StaleAttempt(Exception):
    """The run has a newer attempt, or another worker reads this journal: stop reading."""


class JournalReader:
    """Reads one attempt's journal into the database, and says what its watchers should hear."""

    def __init__(self, run: Run):
        self.run = run
        self._log_offset = _size(run.log_file)

    def read(self) -> list[Message]:
        """Take in what is new; return the messages to publish. Raises StaleAttempt."""
        events, offset = read_journal(self.run.attempt_folder / FILE_NAME, self.run.journal_offset)
        messages = Transcript(self.run, events).store(offset) if events else []
        return [*messages, *self._log_news()]

    def _log_news(self) -> list[Message]:
        if _size(self.run.log_file) <= self._log_offset:
            return []
        with self.run.log_file.open("rb") as file:
            file.seek(self._log_offset)
            text = file.read(LOG_BYTES)
        data = {"run_id": str(self.run.pk), "offset": self._log_offset, "text": text.decode(errors="replace")}
        self._log_offset += len(text)
        return [(group_of(self.run), envelope("log", data))]


class Transcript:
    """A batch of events on their way into one transaction."""

    def __init__(self, run: Run, events: list[Event]):
        self.run = run
        self.events = events
        self.changes: dict[str, Any] = {}
        self.moves: list[tuple[str, str, dict[str, Any]]] = []
        self.metrics: list[Event] = []
        self.messages: list[Message] = []

    @transaction.atomic
    def store(self, offset: int) -> list[Message]:
        self._lock()
        for event in self.events:
            self._take(event)
        self._store_metrics()
        last = self.events[-1].sequence or self.run.journal_sequence
        changes = {**self.changes, "journal_offset": offset, "journal_sequence": last}
        Run.objects.filter(pk=self.run.pk).update(**changes)
        self.run.refresh_from_db()
        for status, detail, more in self.moves:
            if self._may_move_to(status):
                self.run.move_to(status, detail=detail, **more)
        if self.run.is_ended:
            self._close_commands()
        return [*self.messages, *state_messages(self.run)]

    def _lock(self) -> None:
        present = Run.objects.select_for_update().values("attempt", "journal_offset", "status").get(pk=self.run.pk)
        if (present["attempt"], present["journal_offset"]) != (self.run.attempt, self.run.journal_offset):
            raise StaleAttempt(f"Run {self.run.pk} is no longer in attempt {self.run.attempt} at this offset.")
        self.run.status = present["status"]

    def _may_move_to(self, status: str) -> bool:
        """A run that is to stop does not look as if it would not, though its process has not heard of it yet."""
        going_on = status in (Run.Status.RUNNING, Run.Status.PAUSED)
        return self.run.status != status and not (going_on and self.run.status == Run.Status.STOPPING)

    def _take(self, event: Event) -> None:
        """Take one event in; one that lacks what its kind has must not hold up all that follow."""
        try:
            getattr(self, f"_take_{event.kind}", self._take_nothing)(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("Event %d of run %s is damaged (%r).", event.sequence, self.run.pk, error)
            event = Event(event.sequence, event.time, "damaged", {"kind": event.kind, "why": repr(error)})
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
        self._move(Run.Status.RUNNING)

    def _take_status(self, event: Event) -> None:
        self.changes["status_text"] = str(event.data["text"])[:200]

    def _take_phase(self, event: Event) -> None:
        phase = event.data["phase"]
        self.changes["phase"] = phase
        self._move(Run.Status.PAUSED if phase == "paused" else Run.Status.RUNNING)

    def _take_progress(self, event: Event) -> None:
        self.changes |= {name: event.data[name] for name in PROGRESS}

    def _take_metrics(self, event: Event) -> None:
        values, _ = event.data["values"], int(event.data["step"])
        self.changes |= {name: values[name] for name in LIVE_METRICS if values.get(name) is not None}
        if values.get("peak_memory_gb") is not None:
            peak = max(int(values["peak_memory_gb"] * 1024**3), self.changes.get("memory_peak", 0))
            self.changes["memory_peak"] = max(peak, self.run.memory_peak or 0)
        self.metrics.append(event)

    def _take_sample_progress(self, event: Event) -> None:
        data = {**event.data, "run_id": str(self.run.pk)}
        text = envelope(f"sample_{event.data['kind']}_progress", data)
        self.messages += [(ALL_RUNS, text), (group_of(self.run), text)]

    def _take_sample(self, event: Event) -> None:
        data, progress = event.data, event.data["progress"]
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
        self.messages += [(ALL_RUNS, text), (group_of(self.run), text)]

    def _take_artifact(self, event: Event) -> None:
        data = event.data
        artifact = Artifact.objects.create(
            run=self.run,
            attempt=self.run.attempt,
            sequence=event.sequence,
            kind=data["kind"],
            path=data["path"],
            size=data.get("size") or _total_size(Path(data["path"])),
            sha256=data.get("sha256") or "",
            global_step=data["global_step"],
            epoch=data["epoch"],
            created_at=_moment(event),
        )
        self.messages.append((group_of(self.run), envelope("artifact", artifact.to_dict())))

    def _take_command_done(self, event: Event) -> None:
        self._end_command(event, RunCommand.Status.DONE)

    def _take_command_refused(self, event: Event) -> None:
        self._end_command(event, RunCommand.Status.REFUSED)

    def _take_failed(self, event: Event) -> None:
        data = event.data
        changes = {"error": data["message"], "error_reason": data["reason"], "traceback": data["traceback"]}
        self._move(Run.Status.FAILED, data["message"], **changes, ended_at=_moment(event))

    def _take_ended(self, event: Event) -> None:
        status = Run.Status.STOPPED if event.data["reason"] == "stopped" else Run.Status.FINISHED
        self._move(status, ended_at=_moment(event))

    # -- helpers -----------------------------------------------------------------------------------------------

    def _move(self, status: str, detail: str = "", **changes: Any) -> None:
        self.moves.append((status, detail, changes))

    def _end_command(self, event: Event, status: str) -> None:
        command = self.run.commands.filter(pk=event.data["id"], status__in=RunCommand.OPEN).first()
        if command is not None:
            self._close(command, status, event.data.get("detail", ""))

    def _close_commands(self) -> None:
        """Nothing can come of what is still open when the run has ended; a stop is done by that very end."""
        for command in self.run.commands.filter(status__in=RunCommand.OPEN):
            if command.kind == "stop":
                self._close(command, RunCommand.Status.DONE, f"The run ended at step {self.run.global_step}.")
            else:
                self._close(command, RunCommand.Status.EXPIRED, "The run ended before it came to this.")

    def _close(self, command: RunCommand, status: str, detail: str) -> None:
        command.status, command.detail, command.ended_at = status, detail, now()
        command.save(update_fields=["status", "detail", "ended_at"])
        self.messages.append(command_message(command))

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
        self.messages.append((group_of(self.run), envelope("metrics", self._columns())))

    def _supersede(self, first_step: int) -> None:
        """What an earlier attempt measured from this step on is trained again now."""
        if self.run.attempt > 1 and not self.run.metrics.filter(attempt=self.run.attempt).exists():
            earlier = self.run.metrics.filter(attempt__lt=self.run.attempt, step__gte=first_step)
            earlier.update(superseded=True)

    def _columns(self) -> dict[str, Any]:
        tags = sorted({tag for event in self.metrics for tag in event.data["values"]})
        return {
            "run_id": str(self.run.pk),
            "steps": [event.data["step"] for event in self.metrics],
            "values": {tag: [event.data["values"].get(tag) for event in self.metrics] for tag in tags},
        }


def _moment(event: Event) -> datetime:
    return datetime.fromtimestamp(event.time, UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _total_size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(file) for file in path.rglob("*") if file.is_file())
    return _size(path)
