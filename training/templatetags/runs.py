"""How pages write the epochs, times and state of runs."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.timezone import now

from system.models import Worker
from training.models import Run
from training.progress import time_left
from training.progress.endings import ending_of
from training.progress.state import why_stale
from training.progress.waiting import reason
from web.templatetags.formats import NOTHING, duration

register = template.Library()


register.filter("ending_of", ending_of)
register.filter("why_stale", why_stale)


@register.filter
def epoch_shown(run: Run) -> int:
    """The epoch that is trained, counted from 1."""
    return epoch_counted(run.progress.epoch, run)


@register.filter
def epoch_counted(epoch: int, run: Run) -> int:
    """An epoch counted from 1; what came after the last one still belongs to that."""
    return min(epoch + 1, run.progress.max_epoch or epoch + 1)


@register.filter
def epoch_done(run: Run) -> float:
    """How much of the present epoch is trained; after the last one, all of it."""
    progress = run.progress
    if progress.fraction_done == 1:
        return 1.0
    return min(1.0, progress.epoch_step / progress.max_step) if progress.max_step else 0.0


@register.filter
def seconds_left(run: Run) -> float | None:
    """How long the run still takes, samples and backups included; None while that is not known."""
    return time_left.seconds_left(run)


@register.filter
def time_taken(run: Run) -> str:
    """From the start to the end, or to now while it is active."""
    if run.started_at is None:
        return NOTHING
    return duration(((run.ended_at if run.is_ended and run.ended_at else now()) - run.started_at).total_seconds())


@register.inclusion_tag("_now_training.html")
def now_training() -> dict[str, Any]:
    """The strip at the top of every page: what trains now and how far it is."""
    return {"run": Run.objects.active().with_progress().select_related("owner").first()}


@register.simple_tag
def why_waits(run: Run) -> str:
    """Why a queued run does not start yet: one sentence."""
    return reason(run, Worker.objects.alive())
