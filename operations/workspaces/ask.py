"""Asking for the import of a OneTrainer workspace, and ending an import that follows a training."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from operations.workspaces.history import checked_folder
from system.models import Job
from training.models import Run
from web.errors import NotNow
from worker.job_process import LET_GO, abandon


def ask_for_import(path: Any, user: User | None = None, name: str = "", follow: bool = False, doer: str = "") -> Job:
    """Request the import of a workspace, by a worker unless `doer` does it; raises BadInput.

    If an import of it is in progress, that job is returned.
    """
    folder = str(checked_folder(path))
    same = [job for job in Job.objects.open().filter(kind=Job.Kind.IMPORT) if job.arguments["path"] == folder]
    if same:
        return same[0]
    arguments = {"path": folder, "name": name.strip()[:150], "follow": bool(follow)}
    taken = {"status": Job.Status.RUNNING, "worker": doer, "claim": 1} if doer else {}
    facts = {"arguments": arguments, "user": user, "host": settings.HOST_NAME, **taken}
    return Job.objects.create(kind=Job.Kind.IMPORT, **facts)


@transaction.atomic  # otherwise a worker could see a run without a follower in between, and follow it
def end_following(run: Run) -> None:
    """Stop following this run's workspace; the job's process notices it at its next look. Raises NotNow."""
    if not run.is_watched:
        raise NotNow(_("This run is not being followed: it trains here, or has ended."))
    for job in Job.objects.open().filter(kind=Job.Kind.IMPORT):
        if job.arguments["path"] == run.source:
            facts = {"status": Job.Status.DONE, "detail": str(LET_GO), "ended_at": now()}
            Job.objects.open().filter(pk=job.pk).update(**facts)
            abandon(job, str(LET_GO))
