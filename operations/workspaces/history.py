"""OneTrainer workspaces as history: a run for each training, updated by each import.

Files stay where they are. The offset in a TensorBoard log is saved on the run in the same transaction as its scalars,
so each scalar is stored once, whatever dies, and two readers of the same log do not disturb each other.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from engine.onetrainer.scalars import Scalar, ScalarLog
from engine.onetrainer.workspace import WorkspaceTraining, is_text, is_workspace, read_workspace
from engine.paths.here import reading_by
from engine.paths.policy import Policy, Purpose, Refused, Root
from operations.workspaces.files import FileKeeper
from operations.workspaces.pulse import PATIENCE, Pulse
from training.live import publisher
from training.live.publisher import Message, envelope, group_of, state_messages
from training.metrics.loss_lines import LossLine, draw_loss
from training.metrics.summaries import sum_up
from training.models import Metric, Run, RunProgress
from training.runs.service import MAX_NAME
from web.errors import BadInput
from web.paths.site import judge, sentence

RUNS_OF_WORKSPACES = uuid.UUID("6f1c5c0e-5d6b-4b8e-9a53-0f6d0a3f5b1d")  # a run's id comes from its workspace and name
RECORDS = 5000  # in one transaction, so that others do not wait long for the database
MOST_LIVE = 2000  # scalars in one message; clients read more from the database
SPEED_SECONDS, RECENT = 60.0, 2000  # the speed is measured over these seconds, or these steps if they take less time
ATTEMPT = 1
TRAINS_OUTSIDE = "training outside of this site"
UNREADY = "The import of this run did not finish: import its workspace again."
STILL_TRAINS = (
    "It was still training at the time of the import: import its workspace again and follow it to see the rest."
)
SEND = Callable[[list[Message]], Any]


class Overtaken(Exception):
    """Another process imports the same workspace."""


def checked_folder(path: Any) -> Path:
    """The workspace at this path; raises BadInput if the path is not allowed, or holds no workspace."""
    if not isinstance(path, str) or not path.strip():
        raise _bad(_("Enter the workspace's folder."))
    if not is_text(path):
        raise _bad(_("The folder's name is not valid text: rename it."))
    try:
        folder = Path(judge(path.strip(), Purpose.LIST).real)
        if not folder.is_dir():
            raise _bad(
                _("%(folder)s is not a folder: enter a OneTrainer workspace on the server.") % {"folder": folder}
            )
        if not is_workspace(folder):
            raise _bad(
                _(
                    "%(folder)s holds no OneTrainer workspace: enter the folder with config, "
                    "tensorboard, samples, backup or save in it."
                )
                % {"folder": folder}
            )
    except Refused as refused:
        raise _bad(sentence(refused)) from refused
    except OSError as error:
        raise _bad(
            _("%(folder)s cannot be read (%(error)s): let the site's user read it.")
            % {"folder": folder, "error": error.strerror}
        ) from error
    return folder


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"path": [sentence]})


class History:
    """The runs of one workspace."""

    def __init__(
        self, folder: Path, by: User | None = None, name: str = "", send: SEND | None = None, patience: float = PATIENCE
    ) -> None:
        self.folder, self.by, self.name, self.patience = folder, by, name, patience
        self._send: SEND = send or async_to_sync(publisher.send_all)
        self._chronicles: dict[str, Chronicle] = {}
        self._deleted: set[str] = set()

    def update(self, follow: bool = False, beat: Callable[[], object] = lambda: None) -> list[Run]:
        """Import everything new, and return the runs, oldest first; `beat` is called between portions."""
        try:
            with reading_by(Policy((Root(str(self.folder)),))):  # links in it may lead anywhere
                trainings = read_workspace(self.folder, settings.ONETRAINER_HOME)
        except OSError as error:
            self._give_up(
                _("The workspace cannot be read any more (%(error)s): check whether it was moved.")
                % {"error": error.strerror}
            )
            return self.runs
        processes = [training.process() for training in trainings]
        for place, training in enumerate(trainings):
            is_newest = processes[place] not in processes[place + 1 :]
            if training.name not in self._deleted:
                self._update_one(training, trainings, follow, is_newest, beat)
        return self.runs

    def _update_one(self, training: WorkspaceTraining, trainings: list[WorkspaceTraining], *how: Any) -> None:
        """A run that a person deletes during the import stays deleted, and does not stop the others."""
        try:
            self._of(training, trainings).update(training, *how)
        except Run.DoesNotExist:
            self._deleted.add(training.name)
            del self._chronicles[training.name]

    @property
    def runs(self) -> list[Run]:
        return [chronicle.run for chronicle in self._chronicles.values()]

    @property
    def is_alive(self) -> bool:
        return any(run.is_watched for run in self.runs)

    def _of(self, training: WorkspaceTraining, trainings: list[WorkspaceTraining]) -> Chronicle:
        if training.name not in self._chronicles:
            run = self._run(training, trainings)
            self._chronicles[training.name] = Chronicle(run, self._send, Pulse(self.patience))
        return self._chronicles[training.name]

    def _run(self, training: WorkspaceTraining, trainings: list[WorkspaceTraining]) -> Run:
        """The run of the training, found or created."""
        start = training.moment(training.stamp)
        several = len(trainings) > 1
        name = (self.name or self.folder.name or "workspace")[: MAX_NAME - 30]
        facts = {
            "name": f"{name} {training.stamp:%Y-%m-%d %H:%M:%S}" if several else name,
            "engine": "onetrainer",
            "source": str(self.folder),
            "config": training.config,
            "owner": self.by,
            "parent": self._parent(training, trainings),
            "attempt": ATTEMPT,
            "status": Run.Status.INTERRUPTED,
            "error": UNREADY,
            "retries_left": 0,
            **dict.fromkeys(("created_at", "queued_at", "started_at", "ended_at"), start),
        }
        with transaction.atomic():
            run, is_new = Run.objects.get_or_create(pk=self._id(training), defaults=facts)
            if is_new:
                detail = f"imported from {self.folder}"
                run.events.create(attempt=ATTEMPT, kind="created", data={"detail": detail}, user=self.by, at=start)
        return run

    def _parent(self, training: WorkspaceTraining, trainings: list[WorkspaceTraining]) -> Run | None:
        """The run that this one continued, if it started from the last backup."""
        earlier = [one for one in trainings if one.stamp < training.stamp and one.of_kind("backup")]
        if not (keys_of(training.config).get("continue_last_backup") and earlier):
            return None
        return Run.objects.filter(pk=self._id(earlier[-1])).first()

    def _id(self, training: WorkspaceTraining) -> uuid.UUID:
        return uuid.uuid5(RUNS_OF_WORKSPACES, f"{self.folder}/{training.name}")

    def _give_up(self, sentence: str) -> None:
        for chronicle in self._chronicles.values():
            chronicle.give_up(sentence)


class Chronicle:
    """One training being imported into its run."""

    def __init__(self, run: Run, send: SEND, pulse: Pulse) -> None:
        self.run = run
        self._send = send
        self._pulse = pulse
        self._log = ScalarLog(run.progress.journal_sequence)
        self._files = FileKeeper(run)
        self._line = LossLine(run)
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._settled = 0.0  # the newest write that the ended run has seen

    def update(self, training: WorkspaceTraining, follow: bool, is_newest: bool, beat: Callable[[], object]) -> None:
        """Import everything new. A run that was continued on this site is left unchanged."""
        self.run.refresh_from_db()
        beating = self._pulse.is_beating(training, follow, is_newest)  # before reading, so that nothing stays unread
        newest = training.last_write()
        if not self.run.is_from_elsewhere or (not beating and self._settled and self._settled == newest):
            return
        if beating and follow and not self.run.is_active:
            self.run.move_to(
                Run.Status.RUNNING,
                detail=_("Following the training."),
                ended_at=None,
                error="",
                error_reason="",
                traceback="",
            )
        news = self._files.update(training)
        self._read_log(training, beat)
        if beating and follow:
            self._go_on(training, news)
        else:
            self._settle(training, STILL_TRAINS if beating else "")
            self._settled = newest

    def give_up(self, sentence: str) -> None:
        if self.run.is_watched:
            self.run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="interrupted")
            self._send(state_messages(self.run))

    # -- scalars -----------------------------------------------------------------------------------------------

    def _read_log(self, training: WorkspaceTraining, beat: Callable[[], object]) -> None:
        files = training.event_files()
        while True:
            scalars, records = self._log.read(files, RECORDS)
            if not records:
                return
            self._store(scalars, records)
            beat()

    @transaction.atomic
    def _store(self, scalars: list[Scalar], records: int) -> None:
        rows = RunProgress.objects.select_for_update().values_list("run__attempt", "journal_sequence")
        if rows.get(pk=self.run.pk) != (ATTEMPT, self._log.taken - records):
            raise Overtaken(
                _("“%(name)s” is imported by another process too, which continues.") % {"name": self.run.name}
            )
        Metric.objects.bulk_create(
            [Metric(run_id=self.run.pk, attempt=ATTEMPT, **scalar._asdict()) for scalar in scalars],
            ignore_conflicts=True,
        )
        if scalars:
            sum_up(self.run, min(scalar.step for scalar in scalars))
        self.run.progress.write(journal_sequence=self._log.taken, **self._progress_of(scalars))
        if self.run.is_active and 0 < len(scalars) <= MOST_LIVE:
            text = envelope("metrics", _columns(self.run, scalars))
            transaction.on_commit(lambda: self._send([(group_of(self.run.pk), text)]))

    def _progress_of(self, scalars: list[Scalar]) -> JsonObject:
        changes: JsonObject = {}
        for scalar in scalars:
            if scalar.tag in ("loss", "smooth_loss"):
                changes[scalar.tag] = scalar.value
            if scalar.tag == "loss":
                self._recent.append((scalar.time, scalar.step))
        if scalars:
            reached = max(scalar.step for scalar in scalars) + 1  # a scalar's step is counted before it is made
            changes["global_step"] = max(reached, self.run.progress.global_step)
        return changes

    # -- state ---------------------------------------------------------------------------------------

    def _go_on(self, training: WorkspaceTraining, news: list[Message]) -> None:
        standing = _standing(training, self.run.progress.global_step)
        self._change({"status_text": TRAINS_OUTSIDE}, {**standing, "steps_per_second": self._speed()})
        self._line.renew()
        self._send([*news, *state_messages(self.run)])

    def _settle(self, training: WorkspaceTraining, still_trains: str) -> None:
        """Save how it ended, as far as that is known."""
        standing = _standing(training, self.run.progress.global_step)
        status, sentence = (Run.Status.INTERRUPTED, still_trains) if still_trains else _ending(training, standing)
        ended = self._ended_at(training)
        facts: JsonObject = {
            "error": sentence,
            "error_reason": "interrupted" if sentence else "",
            "ended_at": ended,
        }
        self._change({"status_text": ""}, {**standing, "steps_per_second": None})
        if self.run.is_active:
            self.run.move_to(status, detail=sentence, **facts)
        else:
            self._change_ended(status, facts)
        draw_loss(self.run)
        self._send(state_messages(self.run))

    @transaction.atomic
    def _change_ended(self, status: str, facts: JsonObject) -> None:
        if (self.run.status, self.run.error) != (status, facts["error"]):
            data = {"from": "training", "to": status, "detail": facts["error"]}
            self.run.events.create(attempt=ATTEMPT, kind="status_changed", data=data, at=facts["ended_at"])
        self._change({**facts, "status": status, "status_changed_at": now()})

    @transaction.atomic
    def _change(self, changes: JsonObject, progress: JsonObject | None = None) -> None:
        """Only while nobody has continued it here: after that, the new attempt reports its state."""
        mine = Run.objects.filter(pk=self.run.pk, attempt=ATTEMPT).exclude(status=Run.Status.QUEUED)
        if mine.update(**changes) and progress:
            self.run.progress.write(**progress)
        self.run.refresh_from_db()

    def _ended_at(self, training: WorkspaceTraining) -> datetime:
        moments = [training.moment(made.stamp) for made in training.files]
        if newest := self.run.metrics.filter(attempt=ATTEMPT).order_by("-step").first():
            moments.append(datetime.fromtimestamp(newest.time, UTC))
        return max([training.moment(training.stamp), *moments])

    def _speed(self) -> float | None:
        while len(self._recent) > 2 and self._recent[-1][0] - self._recent[0][0] > SPEED_SECONDS:
            self._recent.popleft()
        if len(self._recent) < 2:
            return None
        (began, first), (ended, last) = self._recent[0], self._recent[-1]
        return (last - first) / (ended - began) if ended > began and last > first else None


def _standing(training: WorkspaceTraining, global_step: int) -> JsonObject:
    """Its progress, from the step and from the length of an epoch in file names."""
    newest = max(training.files, key=lambda made: made.step, default=None)
    step = max(global_step, newest.step if newest else 0)
    length, epochs = training.steps_per_epoch(), _whole(keys_of(training.config).get("epochs"))
    epoch, epoch_step = divmod(step, length) if length else (newest.epoch if newest else 0, 0)
    return {
        "global_step": step,
        "epoch": epoch,
        "epoch_step": epoch_step,
        "epoch_sample": epoch_step * _whole(keys_of(training.config).get("batch_size")),
        "max_step": length,
        "max_epoch": epochs,
    }


def _ending(training: WorkspaceTraining, standing: JsonObject) -> tuple[str, str]:
    """(status, sentence). A training that ends in order leaves its model, and a backup before it."""
    epochs, backups = standing["max_epoch"], training.of_kind("backup")
    done = bool(epochs) and any(backup.epoch >= epochs for backup in backups)
    steps = standing["max_step"] * epochs
    accumulated = _whole(keys_of(training.config).get("gradient_accumulation_steps"))
    done = done or (bool(steps) and standing["global_step"] + max(accumulated, 1) > steps)
    if done or (training.model and not (steps or backups)):
        return Run.Status.FINISHED, ""
    if training.model:
        return Run.Status.STOPPED, ""
    if not standing["global_step"]:
        return Run.Status.INTERRUPTED, _("It ended before its first step.")
    return Run.Status.INTERRUPTED, _("It ended before its last epoch, and left no final model.")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else 0


def _columns(run: Run, scalars: list[Scalar]) -> JsonObject:
    """In the form of the journal's metrics: a column for each tag, None for a step without it."""
    rows: dict[int, dict[str, float]] = {}
    for scalar in scalars:
        rows.setdefault(scalar.step, {})[scalar.tag] = scalar.value
    tags = sorted({scalar.tag for scalar in scalars})
    values = {tag: [row.get(tag) for row in rows.values()] for tag in tags}
    times = {scalar.step: scalar.time for scalar in scalars}
    return {"run_id": str(run.pk), "steps": list(rows), "times": list(times.values()), "values": values}
