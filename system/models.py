"""The workers: processes that own a GPU and train runs on it."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.timezone import now

LATE = timedelta(seconds=10)  # a worker says that it lives every 2 seconds


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> WorkerQuerySet:
        return self.exclude(status=Worker.Status.OFFLINE).filter(heartbeat_at__gte=now() - LATE)


class Worker(models.Model):
    """One `gpu_worker` process; the row stays when the process ends, for the history."""

    class Status(models.TextChoices):
        IDLE = "idle", "idle"
        BUSY = "busy", "busy"
        DRAINING = "draining", "draining"
        OFFLINE = "offline", "offline"

    name = models.CharField(max_length=200, unique=True, help_text="host:gpu0, unless --name says otherwise")
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField(default=0)
    gpu = models.CharField(max_length=100, blank=True, help_text="CUDA device index, or empty for the CPU")
    device_name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.IDLE)
    drain = models.BooleanField(default=False, help_text="Finish the current run, then take no further one.")
    resources = models.JSONField(default=dict, help_text="The last reading of CPU, memory, disk and GPU on its host.")
    started_at = models.DateTimeField(default=now)
    heartbeat_at = models.DateTimeField(default=now)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        return self.status != self.Status.OFFLINE and self.heartbeat_at >= now() - LATE


class Milestone(models.Model):
    """Something that the site does once in its life, such as its first start."""

    name = models.CharField(max_length=100, unique=True)
    reached_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def reach(cls, name: str) -> bool:
        """Say whether this is the first time; of several processes that ask at once, one is told so."""
        return cls.objects.get_or_create(name=name)[1]
