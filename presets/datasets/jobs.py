"""Work on data sets that a worker does: requesting it, and its state."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from presets.models import DataSet
from system.models import Job


class Action(StrEnum):
    INTAKE = "intake"  # decode, convert and unpack the uploads that wait
    RESCAN = "rescan"  # read what changed in the folder


def jobs_of(data_set: DataSet) -> QuerySet[Job]:
    return Job.objects.filter(kind=Job.Kind.DATA_SET, arguments__data_set=data_set.pk)


def ask(data_set: DataSet, action: Action, by: User | None, **arguments: object) -> Job:
    """Have a worker do it; a request that still waits serves for both."""
    facts = {"data_set": data_set.pk, "action": str(action), **arguments}
    waiting = Job.objects.filter(kind=Job.Kind.DATA_SET, status=Job.Status.WAITING, arguments=facts).first()
    return waiting or Job.objects.create(kind=Job.Kind.DATA_SET, user=by, host=settings.HOST_NAME, arguments=facts)
