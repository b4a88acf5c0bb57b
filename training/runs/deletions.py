"""Deleting many runs at once: a worker's job, as the rows and files of a long history take minutes to go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.timezone import now

from training.models import Run

MANY = 20  # so many and more are a job; fewer go at once
TOLD_FOR = timedelta(minutes=10)  # how long a deletion that is done stays in sight


def ask_for_deletion(runs: Iterable[Run], user: Any) -> Any:
    """Have a worker delete them; those that do not end before it comes to them stay."""
    facts = {"arguments": {"runs": [str(run.pk) for run in runs]}, "user": user, "host": settings.HOST_NAME}
    return _jobs().create(kind="delete", **facts)


def deletions(user: Any) -> list[Any]:
    """What is under way for anybody, and what was done for this user of late."""
    lately = Q(user=user, ended_at__gte=now() - TOLD_FOR)
    return list(_jobs().filter(Q(status__in=("waiting", "running")) | lately, kind="delete").order_by("created_at"))


def _jobs() -> QuerySet[Any]:
    """By name: jobs are the system's, which builds on this."""
    return apps.get_model("system", "Job").objects.all()
