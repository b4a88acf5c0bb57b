"""The state of a run, or how it ended, as every client shows it."""

from __future__ import annotations

from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engine.interface.json_types import JsonObject
from training.models import Run
from training.progress.activity import activity_of
from training.progress.endings import cure_of
from training.progress.time_left import seconds_left
from training.progress.waiting import own_reason

IDLE: JsonObject = {
    "is_training": False,
    "status": "idle",
    "progress": None,
    "max_step": 0,
    "max_epoch": 0,
    "error": None,
    "run_id": None,
    "run_name": None,
    "run_status": None,
}


def state_of(run: Run | None, queue_length: int | None = None) -> JsonObject:
    """The state of a run for every client; first the keys of API.md, then others."""
    if queue_length is None:
        queue_length = Run.objects.queued().count()
    if run is None:
        return IDLE | {"queue_length": queue_length}
    progress = run.progress
    started, killed_after = run.started_at is not None, run.killed_after
    return {
        "is_training": run.is_active,
        "status": (run.status_text if run.status == Run.Status.RUNNING else "") or run.status,
        "progress": progress.to_dict() if started else None,
        "max_step": progress.max_step,
        "max_epoch": progress.max_epoch,
        "error": run.error or None,
        "error_reason": run.error_reason or None,
        "ending": how_it_ended(run) or None,
        "cure": cure_of(run) or None,
        "killed_after": killed_after.isoformat() if killed_after else None,
        "start_after": run.start_after.isoformat() if run.waits_to_go_on and run.start_after else None,
        "run_id": str(run.pk),
        "run_name": run.name,
        "run_status": run.status,
        "stale": why_stale(run),
        "waits_for": own_reason(run) if run.status == Run.Status.QUEUED else "",
        "phase": run.phase if run.is_active else "",
        "activity": activity_of(run),
        "attempt": run.attempt,
        "loss": progress.loss,
        "smooth_loss": progress.smooth_loss,
        "steps_per_second": progress.steps_per_second,
        "eta_seconds": seconds_left(run),
        "queue_length": queue_length,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
    }


def why_stale(run: Run) -> str:
    """Why the state may be out of date, or why nothing trains, as a sentence; empty if all is well."""
    if not run.is_active or run.is_watched or run.worker is None:
        return ""
    if not run.worker.is_alive:
        since = {"name": run.worker.name, "time": f"{localtime(run.worker.heartbeat_at):%H:%M:%S}"}
        return (
            gettext("Worker %(name)s has not reported since %(time)s: training may continue and appears here later.")
            % since
        )
    if pid := run.worker.resources.get("suspended"):
        return gettext("The training process is suspended: resume it with kill -CONT %(pid)s.") % {"pid": pid}
    return ""


def how_it_ended(run: Run) -> str:
    """One sentence; empty for a run that has not ended."""
    if run.error or not run.is_ended:
        return run.error
    if run.error_reason == "stopped":
        return _stopped_by(run)
    sentences = {
        "shutdown": _("Backed up after step %(step)s because the server shut down."),
        "signal": _("Stopped by a signal from outside this site after step %(step)s."),
    }
    by_status: JsonObject = {
        "finished": _("Finished after %(step)s steps."),
        "stopped": _("Stopped after step %(step)s."),
        "cancelled": _("Removed from the queue."),
    }
    sentence = sentences.get(run.error_reason) or by_status.get(run.status, "")
    return str(sentence) % {"step": run.progress.global_step}


def _stopped_by(run: Run) -> str:
    stops = run.commands.filter(kind="stop", attempt=run.attempt).select_related("requested_by")
    first = stops.order_by("requested_at").first()
    if first is None or first.requested_by is None:
        return gettext("Stopped after step %(step)s.") % {"step": run.progress.global_step}
    return gettext("Stopped by %(user)s after step %(step)s.") % {
        "user": first.requested_by,
        "step": run.progress.global_step,
    }
