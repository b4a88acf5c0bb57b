"""Reading the unread rest of the last attempt's journal before the next attempt starts.

A user may continue a run with a lost worker before that worker is back. The old process trained on in that time, and
may even have finished: none of its work is lost, and no step is trained again that a newer backup has.
"""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from training.live.publisher import Publisher, state_messages
from training.metrics.loss_lines import draw_loss
from training.models import Run
from training.runs.backups import newest_backup
from training.runs.retries import newest_whole_backup
from worker.ingest import JournalReader

logger = logging.getLogger(__name__)


def catch_up(run: Run, publisher: Publisher) -> bool:
    """Read the rest of a queued run's journal after its process has ended; return whether steps are left to train.

    Raises StaleAttempt if another worker does the same.
    """
    if run.attempt == 0:
        return True
    newest_known = newest_backup(run)
    if not _read(run, publisher):
        return True
    config_epochs = int(keys_of(run.config).get("epochs") or 0)
    step = run.progress.global_step
    logger.info("Attempt %d of run %s had unread events, up to step %d.", run.attempt, run, step)
    ended = run.events.filter(attempt=run.attempt, kind="ended", data__reason="finished")
    if ended.exists() and config_epochs <= run.progress.max_epoch:
        _finish(run)
        publisher.publish(state_messages(run))
        return False
    run.progress.write(max_epoch=config_epochs or run.progress.max_epoch)  # the config of the continuation
    if newest_known is not None and run.resume_from == newest_known.path:
        _begin_at_the_newest(run)
    return True


def _read(run: Run, publisher: Publisher) -> bool:
    reader, begin = JournalReader(run), run.progress.journal_offset
    while messages := reader.read():
        publisher.publish(messages)
    return run.progress.journal_offset != begin


def _finish(run: Run) -> None:
    detail = _("The training finished while its worker was unreachable.")
    run.move_to(Run.Status.FINISHED, detail=detail, place=None, start_after=None, after_run=None)
    draw_loss(run)


def _begin_at_the_newest(run: Run) -> None:
    """True if no user chose an older backup: this was the newest known backup."""
    newest = newest_whole_backup(run)
    if newest is None or newest.path == run.resume_from:
        return
    queued = Run.objects.filter(pk=run.pk, attempt=run.attempt, status=Run.Status.QUEUED, resume_from=run.resume_from)
    if queued.update(resume_from=newest.path):
        run.resume_from = newest.path
        message = _(
            "It trained on while its worker was unreachable: the run continues from the backup of step %(step)s."
        )
        data = {"message": message % {"step": newest.global_step}}
        run.events.create(attempt=run.attempt, kind="warning", data=data)
