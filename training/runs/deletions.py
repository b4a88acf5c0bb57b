"""Deleting many runs at once: a worker's job, since deleting the rows and files of a long history takes minutes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.timezone import now

from system.models import Job
from training.models import Run

MANY = 20  # from this number on a job deletes them; fewer are deleted at once
TOLD_FOR = timedelta(minutes=10)  # how long a finished deletion is shown


def ask_for_deletion(runs: Iterable[Run], user: User) -> Job:
    """Have a worker delete the runs; a run that has not ended by then is kept."""
    facts = {"arguments": {"runs": [str(run.pk) for run in runs]}, "user": user, "host": settings.HOST_NAME}
    return Job.objects.create(kind=Job.Kind.DELETE, **facts)


def deletions(user: User) -> list[Job]:
    """The deletions in progress for all users, and the recent finished ones of this user."""
    lately = Q(user=user, ended_at__gte=now() - TOLD_FOR)
    jobs = Job.objects.filter(Q(status__in=Job.OPEN) | lately, kind=Job.Kind.DELETE)
    return list(jobs.order_by("created_at"))
