"""What a run does before its first step: fetching, loading or caching, and how far that has come."""

from __future__ import annotations

from typing import TypedDict

from django.utils.translation import gettext as _

from training.models import Run
from training.models.obstacle import MODEL_COMES

PREPARING = ("loading", "caching")


class Activity(TypedDict):
    """`fraction` is null while the part is not known; `text` says it in words."""

    phase: str
    current: int | None
    total: int | None
    fraction: float | None
    text: str


def activity_of(run: Run) -> Activity | None:
    """The activity that a bar shows instead of the steps; None while the run trains, or does nothing."""
    if run.status == Run.Status.QUEUED and run.obstacle.get("code") == MODEL_COMES:
        percent = int(run.obstacle.get("percent", 0))
        return _made("fetching", percent, 100, _("fetching the base model, %(percent)s %%") % {"percent": percent})
    if run.status == Run.Status.STARTING:
        return _made("starting", None, None, _("starting"))
    if run.status != Run.Status.RUNNING or run.phase not in ("", *PREPARING):
        return None
    told = run.progress.activity
    if run.phase == "caching" and told.get("phase") == "caching" and told.get("total"):
        facts = {"current": told["current"], "total": told["total"]}
        text = _("caching %(current)s of %(total)s") % facts
        return _made("caching", told["current"], told["total"], text)
    if run.phase == "caching" and run.progress.global_step:
        return None  # the look at the cache at the beginning of each epoch
    words = {"loading": _("loading the base model"), "caching": _("caching pictures and captions")}
    return _made(run.phase or "starting", None, None, words.get(run.phase, _("starting")))


def _made(phase: str, current: int | None, total: int | None, text: str) -> Activity:
    fraction = min(1.0, current / total) if current is not None and total else None
    return {"phase": phase, "current": current, "total": total, "fraction": fraction, "text": text}
