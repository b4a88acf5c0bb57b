"""Why a queued run does not start yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from training.models import Run
from training.models.obstacle import MODEL_COMES, MODEL_FAILED, MODEL_WAITS, OLD_PROCESS_LIVES, OLD_PROCESS_MAY_LIVE

OBSTACLES = {
    OLD_PROCESS_LIVES: gettext_lazy(
        "Its previous process on %(host)s is still running: it was asked to end, and the run continues after that."
    ),
    OLD_PROCESS_MAY_LIVE: gettext_lazy(
        "Its previous process on %(host)s may still be running: the run continues when it has certainly ended, in up "
        "to %(seconds)s seconds."
    ),
    MODEL_COMES: gettext_lazy("Its base model %(model)s is being fetched: %(percent)s %% of %(size)s."),
    MODEL_WAITS: gettext_lazy("Its base model %(model)s waits to be fetched."),
    MODEL_FAILED: gettext_lazy("Its base model %(model)s is not on this machine. %(why)s"),
}


def own_reason(run: Run) -> str:
    """Why the run would wait even if a worker were free, or empty. Reads held_by and after_run."""
    if run.held_at is not None:
        name = run.held_by.username if run.held_by else _("somebody")
        return _("Held by %(name)s.") % {"name": name}
    if run.after_run is not None and not run.comes_after_it:
        return _waits_for(run, run.after_run)
    if run.start_after is not None and run.start_after > now():
        return _("Not before %(time)s.") % {"time": _moment(run.start_after)}
    return _sentence_of_obstacle(run)


def _sentence_of_obstacle(run: Run) -> str:
    sentence = OBSTACLES.get(run.obstacle.get("code"), "")
    return str(sentence) % {**run.obstacle, "host": run.obstacle.get("host") or _("another machine")}


def _waits_for(run: Run, before: Run) -> str:
    facts = {"name": before.name, "status": before.get_status_display()}
    if before.is_ended:
        return _("Waits for “%(name)s” to finish, but that run is %(status)s: choose another run, or none.") % facts
    if run.after_end == Run.AfterEnd.ENDED:
        return _("Waits for “%(name)s” to end.") % facts
    return _("Waits for “%(name)s” to finish.") % facts


def _moment(moment: datetime) -> str:
    local = localtime(moment)
    return date_format(local, "H:i" if local.date() == localtime(now()).date() else "Y-m-d H:i")


def reason(run: Run, workers: Iterable[Any]) -> str:
    """Why a queued run does not start yet, given the live workers."""
    workers = list(workers)
    if own := own_reason(run):
        return own
    if not workers:
        return _("No worker is running: start one with manage.py gpu_worker.")
    if all(worker.drain or worker.status == "draining" for worker in workers):
        return _("Every worker is draining: resume one on the system page.")
    return _("Starts when a worker is free.")
