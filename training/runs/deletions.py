"""Deleting many runs at once: a worker's job, as the rows and files of a long history take minutes to go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.timezone import now

from system.models import Job
from training.models import Run

MANY = 20  # so many and more are a job; fewer go at once
TOLD_FOR = timedelta(minutes=10)  # how long a deletion that is done stays in sight


def ask_for_deletion(runs: Iterable[Run], user: User) -> Job:
    """Have a worker delete them; those that do not end before it comes to them stay."""
    facts = {"arguments": {"runs": [str(run.pk) for run in runs]}, "user": user, "host": settings.HOST_NAME}
    return Job.objects.create(kind=Job.Kind.DELETE, **facts)


def deletions(user: User) -> list[Job]:
    """What is under way for anybody, and what was done for this user of late."""
    lately = Q(user=user, ended_at__gte=now() - TOLD_FOR)
    jobs = Job.objects.filter(Q(status__in=Job.OPEN) | lately, kind=Job.Kind.DELETE)
    return list(jobs.order_by("created_at"))
