"""Runs, and the models that belong to them, imported for Django to find them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

from engine.interface.json_types import JsonObject
from presets.models import Preset, PresetVersion
from training.models.artifact import Artifact
from training.models.command import RunCommand
from training.models.obstacle import Obstacle
from training.models.progress import RunProgress
from training.models.summary import RunSummary


class RunQuerySet(models.QuerySet["Run"]):
    def queued(self) -> RunQuerySet:
        """Waiting runs in the order in which they start: by priority, moved runs first, then by age."""
        order = ("-priority", F("place").asc(nulls_last=True), "queued_at")
        return self.filter(status=Run.Status.QUEUED).order_by(*order)

    def ready(self) -> RunQuerySet:
        """Runs that wait only for a worker: not held, their start time reached, and their predecessor ended.

        A run with a `queued_at` in the future was queued before the clock was set back, which must not delay it.
        """
        present = now()
        on_time = Q(start_after=None) | Q(start_after__lte=present) | Q(queued_at__gt=present)
        return self.queued().filter(on_time, self.nothing_before(), held_at=None)

    @staticmethod
    def nothing_before() -> Q:
        """True if the run has no predecessor, or its predecessor has reached the required end."""
        ended = Q(after_end=Run.AfterEnd.ENDED, after_run__status__in=Run.ENDED)
        return Q(after_run=None) | Q(after_run__status=Run.Status.FINISHED) | ended

    def lost(self) -> RunQuerySet:
        """Runs whose worker vanished and that nobody has continued since."""
        return self.filter(status=Run.Status.INTERRUPTED, error_reason="lost_worker")

    @transaction.atomic
    def claim(self, candidate: Run, **changes: Any) -> Run | None:
        """Move a ready run to starting; None if it is no longer ready.

        It is checked again under a lock: it may have been held, planned or claimed since the list was read.
        """
        locked = self.ready().select_for_update(skip_locked=True, of=("self",)).filter(pk=candidate.pk)
        run = locked.first()
        claimed = run is not None and run.move_to(Run.Status.STARTING, attempt=run.attempt + 1, **changes)
        return run if claimed else None

    def active(self) -> RunQuerySet:
        """Runs with a process, or about to have one, newest first."""
        return self.filter(status__in=Run.ACTIVE).order_by("-started_at", "-created_at")

    def watched(self) -> RunQuerySet:
        """Runs that train outside this site; see `Run.is_watched`."""
        return self.active().exclude(source="").filter(attempt__lte=1)

    def ended(self) -> RunQuerySet:
        return self.filter(status__in=Run.ENDED)

    def newest_first(self) -> RunQuerySet:
        return self.order_by("-created_at")

    def with_progress(self) -> RunQuerySet:
        return self.select_related("progress")

    def with_backups(self) -> RunQuerySet:
        """With the answer of `has_backup`, for lists."""
        return self.annotate(backup_exists=Exists(Artifact.objects.backups().filter(run=OuterRef("pk"))))

    def with_favourites_of(self, user: User) -> RunQuerySet:
        """With `is_favourite`: True for this user's favourites."""
        mine = Run.favourite_of.through.objects.filter(run=OuterRef("pk"), user_id=user.pk)
        return self.annotate(is_favourite=Exists(mine))

    def current(self) -> Run | None:
        """The run that a single-trainer client means: the newest running, else newest queued, else last ended.

        A run that this site only follows, and cannot control, comes after the runs that it trains.
        """
        runs = self.with_progress()
        return (
            runs.active().filter(Q(source="") | Q(attempt__gt=1)).first()
            or runs.active().first()
            or runs.filter(status=Run.Status.QUEUED).order_by("-queued_at").first()
            or runs.active().first()  # a worker may have claimed the queued run after the first query
            or runs.ended().order_by("-ended_at", "-created_at").first()
        )


def default_retries() -> int:
    """How often a run is retried automatically, unless the run has its own number."""
    return settings.RETRIES


class Run(models.Model):
    """One training: its frozen config, its state, and how it ended."""

    class Status(models.TextChoices):
        QUEUED = "queued", gettext_lazy("queued")
        STARTING = "starting", gettext_lazy("starting")
        RUNNING = "running", gettext_lazy("running")
        PAUSED = "paused", gettext_lazy("paused")
        STOPPING = "stopping", gettext_lazy("stopping")
        FINISHED = "finished", gettext_lazy("finished")
        STOPPED = "stopped", gettext_lazy("stopped")
        FAILED = "failed", gettext_lazy("failed")
        INTERRUPTED = "interrupted", gettext_lazy("interrupted")
        CANCELLED = "cancelled", gettext_lazy("cancelled")

    class AfterEnd(models.TextChoices):
        FINISHED = "finished", gettext_lazy("has finished")
        ENDED = "ended", gettext_lazy("has ended in any way")

    ACTIVE = (Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING)
    ENDED = (Status.FINISHED, Status.STOPPED, Status.FAILED, Status.INTERRUPTED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    engine = models.CharField(max_length=20, default="builtin")
    config = models.JSONField(help_text="Frozen: defaults, preset and changes in one.")
    preset = models.ForeignKey(Preset, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    preset_version = models.ForeignKey(PresetVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="runs")
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    source = models.CharField(
        max_length=1000, blank=True, help_text="The OneTrainer workspace that the run was imported from."
    )
    notes = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    favourite_of = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="favourite_runs")
    priority = models.IntegerField(default=0, help_text="Runs with a higher number start sooner.")

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED, db_index=True)
    status_text = models.CharField(max_length=200, blank=True, help_text="The trainer's current action.")
    phase = models.CharField(max_length=12, blank=True)
    status_changed_at = models.DateTimeField(default=now)
    error = models.TextField(blank=True, help_text="Why the run failed, in one sentence.")
    error_reason = models.CharField(max_length=30, blank=True, help_text="A key of training.progress.endings.ENDINGS.")
    traceback = models.TextField(blank=True)
    log_tail = models.TextField(blank=True, help_text="The last lines of its log, if it ended with an error.")

    worker = models.ForeignKey("system.Worker", null=True, on_delete=models.SET_NULL, related_name="runs")
    attempt = models.PositiveIntegerField(default=0, help_text="Increases with every start.")
    data_folder = models.CharField(max_length=32, blank=True, help_text="The data folder with its files.")
    resume_from = models.CharField(
        max_length=1000, blank=True, help_text="The backup that the next attempt starts from."
    )
    checked_paths = models.JSONField(
        default=dict,
        blank=True,
        help_text="Where each path of the config led when the run was created, by field; empty for older runs.",
    )
    weights_from = models.CharField(
        max_length=1000, blank=True, help_text="The backup of another run whose weights it starts with, at step 0."
    )
    retries = models.PositiveSmallIntegerField(
        default=default_retries, help_text="How often it is retried automatically without progress in between."
    )
    retries_left = models.PositiveIntegerField(default=default_retries)
    start_after = models.DateTimeField(null=True, help_text="The earliest start, set by a user or a retry.")
    place = models.PositiveIntegerField(null=True, help_text="Order among runs of its priority, once moved.")
    held_at = models.DateTimeField(null=True, help_text="When a user put it on hold in the queue.")
    held_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    after_run = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="followers")
    after_end = models.CharField(max_length=10, choices=AfterEnd, default=AfterEnd.FINISHED)
    memory_estimate = models.JSONField(default=dict, blank=True, help_text="The preflight's bytes, with their parts.")
    obstacle = models.JSONField(default=dict, blank=True, help_text="What keeps it from starting.")

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

    def save(self, *args: object, **options: Any) -> None:
        """Keep the summary that the table of runs searches, and on the first save create the progress."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **options)
            if is_new:
                self.progress = RunProgress.objects.create(run=self)
            RunSummary.objects.describe(self)

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
        """True if the run was imported and had no attempt on this site."""
        return bool(self.source) and self.attempt <= 1

    @property
    def is_watched(self) -> bool:
        """True if it trains outside this site, which can follow but not control it."""
        return self.is_active and self.is_from_elsewhere

    @property
    def folder(self) -> Path:
        """The folder of all files that this run writes."""
        return settings.DATA_DIR / "runs" / str(self.pk)

    @property
    def attempt_folder(self) -> Path:
        """Journal, log and control address of the current attempt."""
        return self.folder / "attempts" / str(self.attempt)

    @property
    def attempt_name(self) -> str:
        """A short name of the current attempt, unlike those of all other attempts."""
        return f"{self.pk.hex[:16]}-{self.attempt}"

    @property
    def log_file(self) -> Path:
        return self.attempt_folder / "engine.log"

    @property
    def memory_expected(self) -> int:
        """The measurable part of the estimate in bytes: without the CUDA context; 0 without an estimate."""
        parts = self.memory_estimate.get("parts", {})
        return sum(size for name, size in parts.items() if name != "CUDA context")

    @property
    def memory_error(self) -> float | None:
        """The error of the estimate as a fraction of the measured peak: above 0 if it was too high."""
        peak, expected = self.progress.memory_peak, self.memory_expected
        return expected / peak - 1 if peak and expected else None

    @property
    def killed_after(self) -> datetime | None:
        """When a stopping run is killed if it has not stopped by then."""
        if self.status != self.Status.STOPPING:
            return None
        stops = self.commands.filter(kind="stop", attempt=self.attempt, status__in=RunCommand.OPEN)
        asked = stops.order_by("requested_at").values_list("requested_at", flat=True).first()
        return asked + timedelta(seconds=settings.STOP_GRACE_SECONDS) if asked else None

    @property
    def has_backup(self) -> bool:
        """True if it can be continued from a backup, as far as the database knows; see `with_backups`."""
        if "backup_exists" in self.__dict__:
            return bool(self.__dict__["backup_exists"])
        return Artifact.objects.backups().filter(run=self.pk).exists()

    @property
    def goes_on_from(self) -> Artifact | None:
        """The backup from which its next attempt will start, or its current attempt started."""
        return self.artifacts.filter(path=self.resume_from).first() if self.resume_from else None

    @property
    def comes_after_it(self) -> bool:
        """True if it has no predecessor, or its predecessor has reached the required end; as in `nothing_before`."""
        before = self.after_run
        if before is None or before.status == self.Status.FINISHED:
            return True
        return self.after_end == self.AfterEnd.ENDED and before.is_ended

    @property
    def waits_to_go_on(self) -> bool:
        """True if it waits for an automatic retry or a planned continuation."""
        waits = self.status == self.Status.QUEUED and self.attempt > 0
        return waits and self.start_after is not None and self.start_after > now()

    @property
    def is_lost(self) -> bool:
        return self.status == self.Status.INTERRUPTED and self.error_reason == "lost_worker"

    def take_up_again(self, detail: str, **changes: Any) -> bool:
        """Make a run with a lost worker active again, in the same attempt; a stop still counts."""
        if not self.is_lost:
            return False
        stops = self.commands.filter(kind="stop", attempt=self.attempt, status__in=RunCommand.OPEN)
        status = self.Status.STOPPING if stops.exists() else self.Status.RUNNING
        cleared: JsonObject = {"error": "", "error_reason": "", "log_tail": "", "ended_at": None}
        return self.move_to(status, detail=detail, **cleared, **changes)

    def keep_obstacle(self, obstacle: Obstacle) -> bool:
        """Store the obstacle that keeps a queued run from starting; False if it is no longer queued in this attempt."""
        mine = Run.objects.filter(pk=self.pk, status=self.Status.QUEUED, attempt=self.attempt)
        kept = mine.update(obstacle=obstacle) == 1
        if kept:
            self.obstacle = obstacle
        return kept

    def close_commands(self, done: str, expired: str) -> list[RunCommand]:
        """Close and return the open commands: a stop is done, all other commands have expired."""
        closed = list(self.commands.filter(status__in=RunCommand.OPEN))
        for command in closed:
            if command.kind == "stop":
                command.close(RunCommand.Status.DONE, done)
            else:
                command.close(RunCommand.Status.EXPIRED, expired)
        return closed

    def move_to(
        self,
        new_status: str,
        by: User | None = None,
        detail: str = "",
        progress: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> bool:
        """Change the status and record it in the timeline, unless another process changed it first.

        `changes` are other fields of the run, and `progress` fields of its progress.

        The timeline keeps the reason and the log's last lines when a later attempt has its own.

        The conditional UPDATE is the lock: of two rivals, one sees a row change. The attempt is part of the
        condition, so that a stale attempt cannot move its successor.
        """
        changes |= {"status": new_status, "status_changed_at": now(), "obstacle": {}}
        if new_status in self.ENDED:
            changes.setdefault("ended_at", now())
        if new_status == self.Status.QUEUED:
            changes |= {"status_text": "", "phase": ""}  # texts of its last attempt
        before, old_config = self.status, self.config
        with transaction.atomic():
            mine = Run.objects.filter(pk=self.pk, status=before, attempt=self.attempt)
            moved = mine.update(**changes) == 1
            if moved:
                if progress:
                    RunProgress.objects.filter(pk=self.pk).update(**progress)
                self.events.create(
                    attempt=changes.get("attempt", self.attempt),
                    kind="status_changed",
                    data={"from": before, "to": new_status, "detail": detail, **_kept(changes, old_config)},
                    user=by,
                )
        self.refresh_from_db()
        return moved


def _kept(changes: JsonObject, old_config: JsonObject) -> JsonObject:
    """The values that a later attempt would overwrite; of the config, only the replaced settings."""
    replaced = {
        name: old_config.get(name) for name, value in changes.get("config", {}).items() if value != old_config.get(name)
    }
    kept = {"reason": changes.get("error_reason"), "log": changes.get("log_tail"), "config_before": replaced}
    return {name: value for name, value in kept.items() if value}
