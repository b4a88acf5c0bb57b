"""Asking for an examination of the site."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User

from system.models import Job


def ask_for_examination(user: User | None = None, mend: bool = False) -> Job:
    """Request an examination of the site, or return the one in progress."""
    going_on = Job.objects.open().filter(kind=Job.Kind.DOCTOR).first()
    facts = {"arguments": {"mend": mend}, "user": user, "host": settings.HOST_NAME}
    return going_on or Job.objects.create(kind=Job.Kind.DOCTOR, **facts)
