"""Whether an ended run goes on by itself, from where, and when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import get_engine
from engine.interface.journal import FILE_NAME as JOURNAL
from training.models import Artifact, Run
from training.progress.endings import ENDINGS
from training.runs.backups import backups


def newest_whole_backup(run: Run) -> Artifact | None:
    """Nobody is there to choose another one where the newest is damaged."""
    is_whole = get_engine(run.engine).is_whole
    return next((backup for backup in backups(run) if is_whole(Path(backup.path))), None)


@transaction.atomic
def plan_retry(run: Run) -> bool:
    """Queue an ended run again if its policy allows; say whether it goes on by itself.

    Call it in the transaction that ended the run: a kill in between would leave a run that nobody takes up.
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
    """Whether this attempt has left a backup beyond where it began: then the next trouble is a new one."""
    began = run.artifacts.filter(path=run.resume_from).values_list("global_step", flat=True).first() or 0
    return run.artifacts.filter(kind=Artifact.Kind.BACKUP, attempt=run.attempt, global_step__gt=began).exists()


def _where_from(run: Run) -> tuple[str, str] | None:
    """(backup, what is said of it); None where going on would throw away what was trained."""
    if not (run.attempt_folder / JOURNAL).exists():
        return run.resume_from, _("It is started again, as its process never came to be")
    if backup := newest_whole_backup(run):
        return backup.path, _("It goes on by itself from the backup of step %(step)s") % {"step": backup.global_step}
    if run.progress.global_step <= settings.RETRY_LOST_STEPS:
        return "", _("It is started again from its beginning, as it has no backup yet")
    return None


def _queue(run: Run, resume_from: str, sentence: str, used: int) -> bool:
    delays = settings.RETRY_DELAYS
    delay = delays[min(used, len(delays) - 1)]
    return run.move_to(
        Run.Status.QUEUED,
        detail=f"{sentence}.",
        resume_from=resume_from,
        retries_left=run.retries - used - 1,
        queued_at=now(),
        start_after=now() + timedelta(seconds=delay),
        ended_at=None,
    )
