"""The epochs, times and states of runs as pages show them."""

from __future__ import annotations

from django import template
from django.utils.timezone import now

from engine.engines import UnknownEngine, get_engine
from system.models import Worker
from training.models import Run
from training.progress import time_left
from training.progress.activity import activity_of
from training.progress.endings import cure_of, ending_of
from training.progress.state import state_of, why_stale
from training.progress.waiting import reason
from web.pages import Context
from web.templatetags.formats import NOTHING, duration

register = template.Library()
COMPARED = (
    "run_id",
    "run_status",
    "attempt",
    "queue_length",
    "stale",
    "start_after",
    "waits_for",
    "progress",
    "activity",
)


register.filter("ending_of", ending_of)
register.filter("cure_of", cure_of)
register.filter("why_stale", why_stale)
register.filter("activity_of", activity_of)


@register.filter
def epoch_shown(run: Run) -> int:
    """The current epoch, counted from 1."""
    return epoch_counted(run.progress.epoch, run)


@register.filter
def epoch_counted(epoch: int, run: Run) -> int:
    """The epoch counted from 1; work after the last epoch counts as part of it."""
    return min(epoch + 1, run.progress.max_epoch or epoch + 1)


@register.filter
def epoch_done(run: Run) -> float:
    """The trained part of the current epoch; all of it after the last epoch."""
    progress = run.progress
    if progress.fraction_done == 1:
        return 1.0
    return min(1.0, progress.epoch_step / progress.max_step) if progress.max_step else 0.0


@register.filter
def seconds_left(run: Run) -> float | None:
    """The remaining time of the run, with samples and backups; None while unknown."""
    return time_left.seconds_left(run)


@register.filter
def time_taken(run: Run) -> str:
    """The time from the start to the end, or to now while it is active."""
    if run.started_at is None:
        return NOTHING
    return duration(((run.ended_at if run.is_ended and run.ended_at else now()) - run.started_at).total_seconds())


@register.filter
def until_stopped(run: Run) -> str:
    """Until when a requested stop waits, if the engine cannot interrupt its present phase; else empty."""
    try:
        return get_engine(run.engine).until_stopped(run.phase, run.config)
    except UnknownEngine:
        return ""


@register.inclusion_tag("_now_training.html")
def now_training() -> Context:
    """The strip at the top of every page: the current run and its progress."""
    return {"run": Run.objects.active().with_progress().select_related("owner").first()}


@register.simple_tag
def state_at_rendering(run: Run | None = None) -> Context:
    """The state of the run, or of the current run, in the keys that scripts compare with the first message."""
    state = state_of(run or Run.objects.current())
    return {key: state[key] for key in COMPARED if key in state}


@register.simple_tag
def why_waits(run: Run) -> str:
    """Why a queued run does not start yet, in one sentence."""
    return reason(run, Worker.objects.alive())
