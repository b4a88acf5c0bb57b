"""Runs, and what happened to them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now

from presets.models import Preset, PresetVersion


class RunQuerySet(models.QuerySet["Run"]):
    def queued(self) -> RunQuerySet:
        """Those that wait, in the order in which they start."""
        return self.filter(status=Run.Status.QUEUED).order_by("-priority", "queued_at")

    def active(self) -> RunQuerySet:
        """Those with a process, or about to have one, newest first."""
        return self.filter(status__in=Run.ACTIVE).order_by("-started_at", "-created_at")

    def watched(self) -> RunQuerySet:
        """Those that train outside of this site; see `Run.is_watched`."""
        return self.active().exclude(source="").filter(attempt__lte=1)

    def ended(self) -> RunQuerySet:
        return self.filter(status__in=Run.ENDED)

    def newest_first(self) -> RunQuerySet:
        return self.order_by("-created_at")

    def current(self) -> Run | None:
        """The run that a single-trainer client means: the newest running, else newest queued, else last ended.

        One that this site only watches, and cannot steer, comes after those that it trains.
        """
        return (
            self.active().filter(Q(source="") | Q(attempt__gt=1)).first()
            or self.active().first()
            or self.filter(status=Run.Status.QUEUED).order_by("-queued_at").first()
            or self.ended().order_by("-ended_at", "-created_at").first()
        )


class Run(models.Model):
    """One training: its frozen config, where it stands, and how it ended."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        STARTING = "starting", "starting"
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        STOPPING = "stopping", "stopping"
        FINISHED = "finished", "finished"
        STOPPED = "stopped", "stopped"
        FAILED = "failed", "failed"
        INTERRUPTED = "interrupted", "interrupted"
        CANCELLED = "cancelled", "cancelled"

    ACTIVE = (Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING)
    ENDED = (Status.FINISHED, Status.STOPPED, Status.FAILED, Status.INTERRUPTED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    engine = models.CharField(max_length=20, default="builtin")
    config = models.JSONField(help_text="Frozen: defaults, the preset and the changes in one.")
    preset = models.ForeignKey(Preset, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    preset_version = models.ForeignKey(PresetVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="runs")
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    source = models.CharField(
        max_length=1000, blank=True, help_text="The OneTrainer workspace that it was taken in from."
    )
    notes = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    priority = models.IntegerField(default=0, help_text="Higher starts sooner.")

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED, db_index=True)
    status_text = models.CharField(max_length=200, blank=True, help_text="What the trainer says that it does.")
    phase = models.CharField(max_length=12, blank=True)
    status_changed_at = models.DateTimeField(default=now)
    error = models.TextField(blank=True, help_text="Why it failed: one sentence.")
    error_reason = models.CharField(max_length=30, blank=True)
    traceback = models.TextField(blank=True)

    worker = models.ForeignKey("system.Worker", null=True, on_delete=models.SET_NULL, related_name="runs")
    attempt = models.PositiveIntegerField(default=0, help_text="Goes up with every start.")
    resume_from = models.CharField(
        max_length=1000, blank=True, help_text="The backup that the next attempt starts from."
    )
    retries_left = models.PositiveIntegerField(
        default=1, help_text="How often it is resumed by itself when it was interrupted."
    )
    journal_offset = models.PositiveBigIntegerField(
        default=0, help_text="Bytes of this attempt's journal that are in the database."
    )
    journal_sequence = models.PositiveBigIntegerField(default=0)

    epoch = models.PositiveIntegerField(default=0)
    epoch_step = models.PositiveIntegerField(default=0)
    epoch_sample = models.PositiveBigIntegerField(default=0)
    global_step = models.PositiveBigIntegerField(default=0)
    max_step = models.PositiveIntegerField(default=0, help_text="Micro-batches per epoch.")
    max_epoch = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True)
    smooth_loss = models.FloatField(null=True)
    steps_per_second = models.FloatField(null=True)
    memory_estimate = models.JSONField(default=dict, blank=True, help_text="Of the preflight: bytes, with their parts.")
    memory_peak = models.PositiveBigIntegerField(null=True, help_text="Bytes on the training device, as measured.")

    created_at = models.DateTimeField(default=now, db_index=True)
    queued_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status", "-priority", "queued_at"])]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def is_ended(self) -> bool:
        return self.status in self.ENDED

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether all that there is of it was taken in, and no attempt was made on this site."""
        return bool(self.source) and self.attempt <= 1

    @property
    def is_watched(self) -> bool:
        """Whether it trains outside of this site, which can follow it but not steer it."""
        return self.is_active and self.is_from_elsewhere

    @property
    def folder(self) -> Path:
        """Where everything that this run writes lies."""
        return settings.DATA_DIR / "runs" / str(self.pk)

    @property
    def attempt_folder(self) -> Path:
        """Journal, log and control address of the present attempt."""
        return self.folder / "attempts" / str(self.attempt)

    @property
    def log_file(self) -> Path:
        return self.attempt_folder / "engine.log"

    @property
    def total_steps(self) -> int:
        """Micro-batches in the whole run; 0 while it is not known."""
        return self.max_step * self.max_epoch

    @property
    def fraction_done(self) -> float:
        return min(1.0, self.global_step / self.total_steps) if self.total_steps else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the last step at the present speed; None while that is not known."""
        if not (self.is_active and self.steps_per_second and self.total_steps):
            return None
        return max(0, self.total_steps - self.global_step) / self.steps_per_second

    @property
    def memory_expected(self) -> int:
        """The estimate in bytes as far as it can be measured: without what CUDA takes for itself; 0 without one."""
        parts = self.memory_estimate.get("parts", {})
        return sum(size for name, size in parts.items() if name != "CUDA context")

    @property
    def memory_error(self) -> float | None:
        """By how much the estimate was too high (above 0) or too low, as a part of the measured peak."""
        if not (self.memory_peak and self.memory_expected):
            return None
        return self.memory_expected / self.memory_peak - 1

    def progress(self) -> dict[str, int]:
        """OneTrainer's TrainProgress."""
        return {name: getattr(self, name) for name in ("epoch", "epoch_step", "epoch_sample", "global_step")}

    def backups(self) -> Iterator[Artifact]:
        """The backups that are still there, newest first."""
        backups = self.artifacts.filter(kind=Artifact.Kind.BACKUP, deleted_at=None).order_by("-created_at")
        return (backup for backup in backups if backup.exists)

    def newest_backup(self) -> Artifact | None:
        return next(self.backups(), None)

    def delete_with_files(self) -> None:
        """Remove the run's rows, then its folder: a kill in between leaves only a folder that nobody names."""
        folder = self.folder
        self.delete()
        if folder.exists():
            shutil.rmtree(folder)

    def move_to(self, new_status: str, by: Any = None, detail: str = "", **changes: Any) -> bool:
        """Change status and note it in the timeline, unless another process changed it first.

        The conditional UPDATE is the lock: of two rivals, one sees a row change. The attempt is part of the
        condition, so that a stale attempt cannot move its successor.
        """
        changes |= {"status": new_status, "status_changed_at": now()}
        if new_status in self.ENDED:
            changes.setdefault("ended_at", now())
        before = self.status
        with transaction.atomic():
            mine = Run.objects.filter(pk=self.pk, status=before, attempt=self.attempt)
            moved = mine.update(**changes) == 1
            if moved:
                self.events.create(
                    attempt=changes.get("attempt", self.attempt),
                    kind="status_changed",
                    data={"from": before, "to": new_status, "detail": detail},
                    user=by,
                )
        self.refresh_from_db()
        return moved


class RunCommand(models.Model):
    """A click or call that a run shall obey; a row first, so that it is never lost."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "requested"
        DELIVERED = "delivered", "delivered"
        DONE = "done", "done"
        REFUSED = "refused", "refused"
        EXPIRED = "expired", "expired"

    OPEN = (Status.REQUESTED, Status.DELIVERED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="commands")
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    detail = models.TextField(blank=True, help_text="What became of it.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=now)
    delivered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["requested_at"]
        indexes = [models.Index(fields=["run", "status"])]

    def __str__(self) -> str:
        return f"{self.kind} ({self.status})"


class RunEvent(models.Model):
    """One line of a run's timeline: a status change, a warning, an artifact, a failure."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    attempt = models.PositiveIntegerField(default=0)
    sequence = models.PositiveBigIntegerField(null=True, help_text="The journal's number, where the engine said it.")
    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "attempt", "sequence"],
                condition=Q(sequence__isnull=False),
                name="one_row_per_journal_event",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%H:%M:%S}"


class MetricQuerySet(models.QuerySet["Metric"]):
    def present(self) -> MetricQuerySet:
        """Without what a resumed attempt has trained again."""
        return self.filter(superseded=False)


class Metric(models.Model):
    """One scalar of one step."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics", db_index=False)
    attempt = models.PositiveIntegerField()
    tag = models.CharField(max_length=100)
    step = models.PositiveBigIntegerField()
    value = models.FloatField()
    time = models.FloatField(help_text="Seconds since the epoch.")
    superseded = models.BooleanField(default=False)

    objects = MetricQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "tag", "step", "attempt"], name="one_value_per_tag_and_step")
        ]

    def __str__(self) -> str:
        return f"{self.tag}@{self.step} = {self.value}"


class Artifact(models.Model):
    """A backup, a saved model or the final model."""

    class Kind(models.TextChoices):
        BACKUP = "backup", "backup"
        SAVE = "save", "save"
        MODEL = "model", "final model"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    attempt = models.PositiveIntegerField()
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    path = models.CharField(max_length=1000)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of a single file.")
    global_step = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="When its file was removed, by retention or by hand."
    )

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "sequence"], name="one_artifact_per_journal_event")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at step {self.global_step}"

    @property
    def exists(self) -> bool:
        return self.deleted_at is None and Path(self.path).exists()

    def to_dict(self) -> dict[str, Any]:
        """As the API and the WebSocket show it."""
        return {
            "id": str(self.pk),
            "run_id": str(self.run_id),
            "kind": self.kind,
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256,
            "global_step": self.global_step,
            "epoch": self.epoch,
            "attempt": self.attempt,
            "created_at": self.created_at,
            "exists": self.exists,
        }
