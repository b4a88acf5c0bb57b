"""Workers, the processes that own a GPU and train runs on it, and their jobs beside training."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from system.audit import record
from system.audit.models import AuditEntry, AuditHead

__all__ = ["AuditEntry", "AuditHead", "Job", "Milestone", "Reading", "Worker", "WrongPasswords"]

LATE = timedelta(seconds=10)  # a worker sends a heartbeat every 2 seconds
AHEAD = timedelta(seconds=60)  # a heartbeat further in the future was sent before a clock was set back
SILENT = timedelta(seconds=60)  # a job is released after this time without a heartbeat
SILENT_CHECK = timedelta(seconds=10)  # shorter for a preflight, since a person waits for its answer


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> WorkerQuerySet:
        speaking = self.filter(heartbeat_at__gte=now() - LATE, heartbeat_at__lte=now() + AHEAD)
        return speaking.exclude(status=Worker.Status.OFFLINE)


class Worker(models.Model):
    """One `gpu_worker` process; the row stays when the process ends, for the history."""

    class Status(models.TextChoices):
        IDLE = "idle", "idle"
        BUSY = "busy", "busy"
        DRAINING = "draining", "draining"
        OFFLINE = "offline", "offline"

    name = models.CharField(max_length=200, unique=True, help_text="host:gpu0, unless --name says otherwise")
    host = models.CharField(max_length=200)
    data_folder = models.CharField(max_length=32, blank=True, help_text="The data folder that the worker works in.")
    pid = models.PositiveIntegerField(default=0)
    gpu = models.CharField(max_length=100, blank=True, help_text="CUDA device index, or empty for the CPU")
    device_name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.IDLE)
    drain = models.BooleanField(default=False, help_text="Finish the current run, then claim no more.")
    drain_set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    resources = models.JSONField(
        default=dict, help_text="The last reading of CPU, memory, disk and GPU on the worker's host."
    )
    started_at = models.DateTimeField(default=now)
    heartbeat_at = models.DateTimeField(default=now)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        return self.status != self.Status.OFFLINE and now() - LATE <= self.heartbeat_at <= now() + AHEAD

    @property
    def state(self) -> str:
        """The status for pages: a dead worker, which could not save it, is offline."""
        if self.is_alive:
            return self.Status.DRAINING if self.drain else self.status
        return self.status if self.status == self.Status.OFFLINE else "lost"

    @property
    def is_ending(self) -> bool:
        """Whether the worker was asked to end, and only finishes its present run."""
        return self.is_alive and self.status == self.Status.DRAINING

    def set_drain(self, drain: bool, by: User | None) -> None:
        """Let the worker claim no more runs, or claim runs again; its present run continues."""
        before = {"drain": self.drain}
        Worker.objects.filter(pk=self.pk).update(drain=drain, drain_set_by=by)
        self.refresh_from_db(fields=["drain", "drain_set_by"])
        record("worker.changed", actor=by, thing=self, before=before, after={"drain": drain})


class Reading(models.Model):
    """The use of a host's processor, memory and GPUs in ten seconds; kept for two hours."""

    host = models.CharField(max_length=200)
    slot = models.PositiveBigIntegerField(help_text="The number of the ten-second slot since 1970.")
    values = models.JSONField()

    class Meta:
        ordering = ["slot"]
        constraints = [models.UniqueConstraint(fields=["slot", "host"], name="one_reading_per_host_and_slot")]

    def __str__(self) -> str:
        return f"{self.host} at {self.slot}"


class Milestone(models.Model):
    """An event that happens once in the site's life, such as its first start."""

    name = models.CharField(max_length=100, unique=True)
    reached_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def reach(cls, name: str) -> bool:
        """True if this is the first time; of several simultaneous processes, exactly one gets True."""
        return cls.objects.get_or_create(name=name)[1]


class WrongPasswords(models.Model):
    """Wrong passwords for a name from an address since the first one; see `system.account.sign_in_limits`."""

    key = models.CharField(max_length=64, unique=True, help_text="A hash of name and address.")
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "wrong passwords"

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%H:%M}"


class KnownPlace(models.Model):
    """A person has signed in from this address before, so that attempts from elsewhere do not lock them out there."""

    key = models.CharField(max_length=64, unique=True, help_text="A hash of name and address.")
    seen_at = models.DateTimeField(default=now, db_index=True)

    def __str__(self) -> str:
        return f"known since {self.seen_at:%Y-%m-%d}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def valid(self) -> ApiTokenQuerySet:
        """Tokens that have not expired, of people who may sign in."""
        alive = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now())
        return self.filter(alive, user__is_active=True)


class ApiToken(models.Model):
    """A personal token for the API, of which only a hash is stored; see `system.account.tokens`."""

    class Scope(models.TextChoices):
        READ = "read", _("read")
        TRAIN = "train", _("read and train")
        ADMIN = "admin", _("all that you may")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the token.")
    start = models.CharField(max_length=12, editable=False, help_text="The first characters, to recognise it by.")
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.TRAIN)
    is_for_jwt = models.BooleanField(default=False, editable=False, help_text="Its secret is a JWT for refreshing.")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty for no end.")
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_token_per_user_and_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()


class SocketTicket(models.Model):
    """A ticket that opens one WebSocket within a minute; see `system.account.tickets`."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.ForeignKey(ApiToken, null=True, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, blank=True)
    valid_until = models.DateTimeField(db_index=True)
    auth_hash = models.CharField(max_length=128, blank=True, help_text="Changes with the password.")
    ends_at = models.DateTimeField(null=True, help_text="When the sign-in that made the ticket expires.")

    def __str__(self) -> str:
        return f"ticket of {self.user}"


class JobQuerySet(models.QuerySet["Job"]):
    def open(self) -> JobQuerySet:
        return self.filter(status__in=Job.OPEN)

    def silent(self) -> JobQuerySet:
        """Running jobs whose lease has ended, since their last heartbeat is too old."""
        return self.filter(_is_silent(), status=Job.Status.RUNNING)

    def due(self, worker: str = "") -> JobQuerySet:
        """Jobs without a process: new jobs, those with an ended lease, and those `worker` held before its restart."""
        free = _is_silent() | models.Q(worker=worker) if worker else _is_silent()
        return self.filter(models.Q(status=Job.Status.WAITING) | models.Q(free, status=Job.Status.RUNNING))


def _is_silent() -> models.Q:
    silent_check = models.Q(kind=Job.Kind.PREFLIGHT, heartbeat_at__lt=now() - SILENT_CHECK)
    return silent_check | models.Q(heartbeat_at__lt=now() - SILENT)


class Job(models.Model):
    """Work beside training that takes a while: checking a config, importing a OneTrainer workspace, checking
    OneTrainer, checking the site, cleaning up, deleting many runs, fetching a base model, or reading the files of a
    data set.

    A worker does the job in a child process, or a command does it in its terminal. `claim` goes up each time that a
    process takes the job: a process that lost the job notices at its next heartbeat, and stops.
    """

    class Kind(models.TextChoices):
        IMPORT = "import", "import of a workspace"
        CHECK = "check", "check of OneTrainer"
        DOCTOR = "doctor", "check of the site"
        MEASURE = "measure", "count of disk usage"
        CLEANUP = "cleanup", "clean-up"
        DELETE = "delete", "deletion of runs"
        PREFLIGHT = "preflight", "check of a config"
        FETCH = "fetch", "fetch of a base model"
        DATA_SET = "data_set", "work on a data set"

    class Status(models.TextChoices):
        PLANNED = "planned", "planned"
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    OPEN = (Status.WAITING, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    arguments = models.JSONField(default=dict)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING, db_index=True)
    host = models.CharField(max_length=200, help_text="The data folder with the job's files.")
    worker = models.CharField(max_length=200, blank=True)
    claim = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, help_text="How often the job's process ended unexpectedly.")
    detail = models.TextField(blank=True, help_text="The state or result, as one sentence.")
    result = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    heartbeat_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.status})"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_an_act(self) -> bool:
        """Whether a person requested it, rather than a page that shows a preview or a count."""
        return self.status != self.Status.PLANNED and self.kind != self.Kind.MEASURE

    def take(self, worker: str) -> bool:
        """Claim the job, unless another process claimed it first."""
        rivals = Job.objects.open().filter(pk=self.pk, claim=self.claim)
        facts = {"status": self.Status.RUNNING, "worker": worker, "claim": self.claim + 1, "heartbeat_at": now()}
        taken = rivals.update(**facts) == 1
        self.refresh_from_db()
        return taken

    def change(self, **facts: Any) -> bool:
        """Save changes, with a heartbeat; False if the job has ended or another process has claimed it."""
        mine = Job.objects.filter(pk=self.pk, claim=self.claim, status=self.Status.RUNNING)
        return mine.update(heartbeat_at=now(), **facts) == 1

    def release(self) -> bool:
        """Release the job, so that another worker can claim it at once."""
        return self.change(status=self.Status.WAITING)

    def end(self, status: str, detail: str, **facts: Any) -> bool:
        ended = self.change(status=status, detail=detail, ended_at=now(), **facts)
        if ended:
            self.refresh_from_db()
        return ended
