"""Runs; and, for Django to find them, all that belongs to one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

from presets.models import Preset, PresetVersion
from training.models.artifact import Artifact
from training.models.command import RunCommand
from training.models.obstacle import Obstacle
from training.models.progress import RunProgress
from training.models.summary import RunSummary


class RunQuerySet(models.QuerySet["Run"]):
    def queued(self) -> RunQuerySet:
        """Those that wait, in the order in which they start: as somebody moved them, the others behind those."""
        order = ("-priority", F("place").asc(nulls_last=True), "queued_at")
        return self.filter(status=Run.Status.QUEUED).order_by(*order)

    def ready(self) -> RunQuerySet:
        """Those that wait for nothing but a worker: not held, their time come, and the run before them through.

        One that was queued in the future was so before the clock was set back, which must not hold it up.
        """
        present = now()
        on_time = Q(start_after=None) | Q(start_after__lte=present) | Q(queued_at__gt=present)
        return self.queued().filter(on_time, self.nothing_before(), held_at=None)

    @staticmethod
    def nothing_before() -> Q:
        """Whether the run that one starts after has come to what is waited for, or there is none."""
        ended = Q(after_end=Run.AfterEnd.ENDED, after_run__status__in=Run.ENDED)
        return Q(after_run=None) | Q(after_run__status=Run.Status.FINISHED) | ended

    def lost(self) -> RunQuerySet:
        """Those whose worker vanished and which nobody has continued since."""
        return self.filter(status=Run.Status.INTERRUPTED, error_reason="lost_worker")

    @transaction.atomic
    def claim(self, candidate: Run, **changes: Any) -> Run | None:
        """Move one of those that are ready to starting; None where it is ready no more.

        It is looked at again under a lock: it may have been held, planned or claimed since the list was read.
        """
        locked = self.ready().select_for_update(skip_locked=True, of=("self",)).filter(pk=candidate.pk)
        run = locked.first()
        claimed = run is not None and run.move_to(Run.Status.STARTING, attempt=run.attempt + 1, **changes)
        return run if claimed else None

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

    def with_progress(self) -> RunQuerySet:
        return self.select_related("progress")

    def with_favourites_of(self, user: Any) -> RunQuerySet:
        """With `is_favourite`: whether it is one of this user's."""
        mine = Run.favourite_of.through.objects.filter(run=OuterRef("pk"), user_id=user.pk)
        return self.annotate(is_favourite=Exists(mine))

    def current(self) -> Run | None:
        """The run that a single-trainer client means: the newest running, else newest queued, else last ended.

        One that this site only watches, and cannot steer, comes after those that it trains.
        """
        runs = self.with_progress()
        return (
            runs.active().filter(Q(source="") | Q(attempt__gt=1)).first()
            or runs.active().first()
            or runs.filter(status=Run.Status.QUEUED).order_by("-queued_at").first()
            or runs.active().first()  # a worker may have claimed the queued one since it was asked for as active
            or runs.ended().order_by("-ended_at", "-created_at").first()
        )


def default_retries() -> int:
    """How often a run goes on by itself, unless it says otherwise."""
    return settings.RETRIES


class Run(models.Model):
    """One training: its frozen config, where it stands, and how it ended."""

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
        ENDED = "ended", gettext_lazy("has ended, however")

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
    favourite_of = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="favourite_runs")
    priority = models.IntegerField(default=0, help_text="Higher starts sooner.")

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED, db_index=True)
    status_text = models.CharField(max_length=200, blank=True, help_text="What the trainer says that it does.")
    phase = models.CharField(max_length=12, blank=True)
    status_changed_at = models.DateTimeField(default=now)
    error = models.TextField(blank=True, help_text="Why it failed: one sentence.")
    error_reason = models.CharField(max_length=30, blank=True, help_text="A key of training.endings.ENDINGS.")
    traceback = models.TextField(blank=True)
    log_tail = models.TextField(blank=True, help_text="The last lines of its log, where it did not end well.")

    worker = models.ForeignKey("system.Worker", null=True, on_delete=models.SET_NULL, related_name="runs")
    attempt = models.PositiveIntegerField(default=0, help_text="Goes up with every start.")
    data_folder = models.CharField(max_length=32, blank=True, help_text="Which data folder its files lie in.")
    resume_from = models.CharField(
        max_length=1000, blank=True, help_text="The backup that the next attempt starts from."
    )
    weights_from = models.CharField(
        max_length=1000, blank=True, help_text="The backup of another run whose weights it begins with, at step 0."
    )
    retries = models.PositiveSmallIntegerField(
        default=default_retries, help_text="How often it goes on by itself before it has made progress again."
    )
    retries_left = models.PositiveIntegerField(default=default_retries)
    start_after = models.DateTimeField(null=True, help_text="It waits until then, by a wish or to go on by itself.")
    place = models.PositiveIntegerField(null=True, help_text="In the queue among those of its priority, once moved.")
    held_at = models.DateTimeField(null=True, help_text="Since when somebody holds it in the queue.")
    held_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    after_run = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="followers")
    after_end = models.CharField(max_length=10, choices=AfterEnd, default=AfterEnd.FINISHED)
    memory_estimate = models.JSONField(default=dict, blank=True, help_text="Of the preflight: bytes, with their parts.")
    obstacle = models.JSONField(default=dict, blank=True, help_text="What a worker found to keep it from starting.")

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

    def save(self, *args: Any, **options: Any) -> None:
        """Keep beside it what the table of runs searches, and from the first time on how far it is."""
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
    def memory_expected(self) -> int:
        """The estimate in bytes as far as it can be measured: without what CUDA takes for itself; 0 without one."""
        parts = self.memory_estimate.get("parts", {})
        return sum(size for name, size in parts.items() if name != "CUDA context")

    @property
    def memory_error(self) -> float | None:
        """By how much the estimate was too high (above 0) or too low, as a part of the measured peak."""
        peak, expected = self.progress.memory_peak, self.memory_expected
        return expected / peak - 1 if peak and expected else None

    @property
    def killed_after(self) -> datetime | None:
        """When a run that is to stop is killed, unless it has stopped by then."""
        if self.status != self.Status.STOPPING:
            return None
        stops = self.commands.filter(kind="stop", attempt=self.attempt, status__in=RunCommand.OPEN)
        asked = stops.order_by("requested_at").values_list("requested_at", flat=True).first()
        return asked + timedelta(seconds=settings.STOP_GRACE_SECONDS) if asked else None

    @property
    def goes_on_from(self) -> Artifact | None:
        """The backup from which its next attempt starts, or its present one started."""
        return self.artifacts.filter(path=self.resume_from).first() if self.resume_from else None

    @property
    def comes_after_it(self) -> bool:
        """Whether the run that it starts after has come to what is waited for; as `nothing_before` asks it."""
        before = self.after_run
        if before is None or before.status == self.Status.FINISHED:
            return True
        return self.after_end == self.AfterEnd.ENDED and before.is_ended

    @property
    def waits_to_go_on(self) -> bool:
        """Whether it goes on by itself, later."""
        waits = self.status == self.Status.QUEUED and self.attempt > 0
        return waits and self.start_after is not None and self.start_after > now()

    @property
    def is_lost(self) -> bool:
        return self.status == self.Status.INTERRUPTED and self.error_reason == "lost_worker"

    def take_up_again(self, detail: str, **changes: Any) -> bool:
        """Make a run active again whose worker was given up for lost, in the same attempt; a stop still counts."""
        if not self.is_lost:
            return False
        stops = self.commands.filter(kind="stop", attempt=self.attempt, status__in=RunCommand.OPEN)
        status = self.Status.STOPPING if stops.exists() else self.Status.RUNNING
        cleared: dict[str, Any] = {"error": "", "error_reason": "", "log_tail": "", "ended_at": None}
        return self.move_to(status, detail=detail, **cleared, **changes)

    def keep_obstacle(self, obstacle: Obstacle) -> bool:
        """Write down what keeps a queued run from starting; False where it is not queued in this attempt any more."""
        mine = Run.objects.filter(pk=self.pk, status=self.Status.QUEUED, attempt=self.attempt)
        kept = mine.update(obstacle=obstacle) == 1
        if kept:
            self.obstacle = obstacle
        return kept

    def close_commands(self, done: str, expired: str) -> list[RunCommand]:
        """End what nobody will obey any more, and return it: a stop is done, whatever else was asked has expired."""
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
        by: Any = None,
        detail: str = "",
        progress: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> bool:
        """Change status and note it in the timeline, unless another process changed it first.

        `changes` are further fields of the run, and `progress` those of its progress.

        A reason and a log's last lines stay readable there when a later attempt has its own.

        The conditional UPDATE is the lock: of two rivals, one sees a row change. The attempt is part of the
        condition, so that a stale attempt cannot move its successor.
        """
        changes |= {"status": new_status, "status_changed_at": now(), "obstacle": {}}
        if new_status in self.ENDED:
            changes.setdefault("ended_at", now())
        if new_status == self.Status.QUEUED:
            changes |= {"status_text": "", "phase": ""}  # those of its last attempt
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


def _kept(changes: dict[str, Any], old_config: dict[str, Any]) -> dict[str, Any]:
    """What a later attempt would hide: of the config, the settings that are replaced."""
    replaced = {
        name: old_config.get(name) for name, value in changes.get("config", {}).items() if value != old_config.get(name)
    }
    kept = {"reason": changes.get("error_reason"), "log": changes.get("log_tail"), "config_before": replaced}
    return {name: value for name, value in kept.items() if value}
