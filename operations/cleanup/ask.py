"""Asking for a count of what takes how much space."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User

from system.models import Job


def ask_for_inventory(user: User | None = None) -> Job:
    """Request a count of disk usage, or return the one in progress; earlier counts are deleted."""
    counts = Job.objects.filter(kind=Job.Kind.MEASURE)
    going_on = counts.filter(status__in=Job.OPEN).first()
    if going_on:
        return going_on
    kept = counts.filter(status=Job.Status.DONE).order_by("-ended_at").values_list("pk", flat=True)[:1]
    counts.exclude(pk__in=list(kept)).delete()
    return Job.objects.create(kind=Job.Kind.MEASURE, user=user, host=settings.HOST_NAME)
