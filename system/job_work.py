"""What is done for a job, in its own process or in a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError

from engine.onetrainer.check import Finding
from presets.errors import DomainError
from system.history import SEND, History, Overtaken, checked_folder
from system.jobs import Hold, JobLost, abandon
from system.models import Job
from system.onetrainer_check import check, is_usable
from training.models import Run

logger = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # how often a workspace that is followed is looked at, and
SHARE = 5  # at least so many times longer than the looking takes


def do(job: Job, send: SEND | None = None, pause: Callable[[float], object] = time.sleep) -> None:
    """Do the job to its end, and write down how it went. Where it was lost to another process, nothing is written."""
    try:
        WORK[job.kind](job, send, pause)
    except JobLost as error:
        logger.warning("%s: %s", job, error)
    except DatabaseError:
        raise  # whoever started this process tries again
    except (DomainError, Overtaken) as error:
        _fail(job, str(error))
    except Exception as error:
        logger.exception("%s failed.", job)
        _fail(job, f"It failed unexpectedly ({type(error).__name__}: {error}): see the worker's log.")


def _fail(job: Job, sentence: str) -> None:
    if job.end(Job.Status.FAILED, sentence):
        abandon(job, sentence)


def _import(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    asked = job.arguments
    history = History(checked_folder(asked["path"]), job.user, asked["name"], send)
    hold = Hold(job)
    hold(detail="It is being read.")
    seconds = _update(history, asked["follow"], hold)
    while asked["follow"] and history.is_alive:
        pause(max(POLL_SECONDS, SHARE * seconds))
        seconds = _update(history, True, hold)
    job.end(Job.Status.DONE, summary(history.runs), result=_result(history))


def _update(history: History, follow: bool, hold: Hold) -> float:
    """One look at the workspace; returns how many seconds it took."""
    began = time.monotonic()
    before = _result(history)
    history.update(follow, hold)
    if (after := _result(history)) != before:
        hold(result=after, detail="It is followed." if history.is_alive else summary(history.runs))
    hold()
    return time.monotonic() - began


def _result(history: History) -> dict[str, list[str]]:
    return {"runs": [str(run.pk) for run in history.runs]}


def summary(runs: list[Run]) -> str:
    if not runs:
        return "No training was found in it."
    return f"{len(runs)} training{'s were' if len(runs) > 1 else ' was'} taken in."


def _check(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    hold = Hold(job)
    hold(detail="It is being checked; a training of two steps takes a minute or two.")
    job.end(Job.Status.DONE, **check_result(check(job.arguments.get("training", True), hold)))


def check_result(findings: list[Finding]) -> dict[str, Any]:
    """What a job keeps of a check."""
    usable = is_usable(findings)
    detail = "OneTrainer can be used." if usable else "OneTrainer cannot be used yet: see what is wrong."
    return {"detail": detail, "result": {"usable": usable, "findings": [one.to_dict() for one in findings]}}


WORK: dict[str, Callable[[Job, SEND | None, Callable[[float], object]], None]] = {
    Job.Kind.IMPORT: _import,
    Job.Kind.CHECK: _check,
}
