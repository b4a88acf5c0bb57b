"""Whether an ended run is retried automatically, from which backup, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import get_engine
from engine.interface.journal import FILE_NAME as JOURNAL
from training.models import Artifact, Run
from training.progress.endings import ENDINGS, keeps_place
from training.queue.places import put_first
from training.runs.backups import backups


def newest_whole_backup(run: Run) -> Artifact | None:
    """No user is there to choose another backup if the newest is damaged."""
    is_whole = get_engine(run.engine).is_whole
    return next((backup for backup in backups(run) if is_whole(Path(backup.path))), None)


@transaction.atomic
def plan_retry(run: Run) -> bool:
    """Queue an ended run again if its policy allows; return whether it is retried.

    Call it in the transaction that ended the run: a kill in between would leave a run without its retry.
    """
    ending = ENDINGS.get(run.error_reason)
    if ending is None or not ending.may_retry:
        return False
    if run.error_reason == "bad_backup":
        run.artifacts.filter(path=run.resume_from).update(is_damaged=True)
    used = 0 if _has_progressed(run) else run.retries - min(run.retries, run.retries_left)
    most = run.retries if ending.most_retries is None else min(run.retries, ending.most_retries)
    if used >= most:
        return False
    where = _where_from(run)
    return where is not None and _queue(run, *where, used)


def _has_progressed(run: Run) -> bool:
    """True if this attempt left a backup after its start: then the next failure is a new one."""
    began = run.artifacts.filter(path=run.resume_from).values_list("global_step", flat=True).first() or 0
    return run.artifacts.filter(kind=Artifact.Kind.BACKUP, attempt=run.attempt, global_step__gt=began).exists()


def _where_from(run: Run) -> tuple[str, str] | None:
    """(backup, sentence for the timeline); None if a retry would discard trained steps."""
    if not (run.attempt_folder / JOURNAL).exists():
        return run.resume_from, _("Starts again because its process never started")
    if backup := newest_whole_backup(run):
        return backup.path, _("Retries from the backup of step %(step)s") % {"step": backup.global_step}
    if run.progress.global_step <= settings.RETRY_LOST_STEPS:
        return "", _("Starts again from the beginning because it has no backup yet")
    return None


def _queue(run: Run, resume_from: str, sentence: str, used: int) -> bool:
    goes_first = keeps_place(run.error_reason)
    queued = run.move_to(
        Run.Status.QUEUED,
        detail=f"{sentence}.",
        resume_from=resume_from,
        retries_left=run.retries - used - 1,
        queued_at=now(),
        start_after=_earliest_start(run, used, goes_first),
        ended_at=None,
    )
    if queued and goes_first:
        put_first(run)
    return queued


def _earliest_start(run: Run, used: int, goes_first: bool) -> datetime | None:
    """After a pause that grows; at once for a run that keeps its place, if another run would start in the pause."""
    if goes_first and not used and Run.objects.ready().filter(priority__lte=run.priority).exists():
        return None
    delays = settings.RETRY_DELAYS
    return now() + timedelta(seconds=delays[min(used, len(delays) - 1)])
