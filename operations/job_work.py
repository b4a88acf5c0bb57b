"""The work of each kind of job, in a separate process or in a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.interface.free_space import in_words
from engine.interface.json_types import JsonObject
from engine.onetrainer.check import PartCheck
from operations.cleanup.ask import ask_for_inventory
from operations.cleanup.deletion import Deletion
from operations.cleanup.inventory import take_inventory
from operations.doctor import examine
from operations.doctor.finding import Asked
from operations.onetrainer_check import check, is_usable
from operations.workspaces.history import SEND, History, Overtaken, checked_folder
from presets.datasets import work as datasets
from presets.models import ModelFetch
from system.audit.trace import acting_for
from system.jobs import Hold, JobLost
from system.models import Job
from training.base_models.news import announce_fetch
from training.models import Run
from training.runs.removal import delete_run
from web.database import is_passing
from web.errors import DomainError
from worker.job_process import abandon

logger = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # seconds between two looks at a followed workspace, and
SHARE = 5  # at least this many times the duration of a look


def do(job: Job, send: SEND | None = None, pause: Callable[[float], object] = time.sleep) -> None:
    """Do the job to its end and save the result. If another process has claimed it, nothing is saved."""
    try:
        with acting_for(job.user):
            WORK[job.kind](job, send, pause)
    except JobLost as error:
        logger.warning("%s: %s", job, error)
        _let_go(job)
    except (DomainError, Overtaken) as error:
        _fail(job, str(error))
    except Exception as error:
        if is_passing(error):
            raise  # the worker starts the job again
        logger.exception("%s failed.", job)
        _fail(job, f"It failed unexpectedly ({type(error).__name__}: {error}): see the worker's log.")


def _let_go(job: Job) -> None:
    """If the job was ended during the last look, that look may have found the training alive."""
    claim = job.claim
    job.refresh_from_db()
    if not job.is_open and job.claim == claim:
        abandon(job, job.detail)


def _fail(job: Job, sentence: str) -> None:
    if job.end(Job.Status.FAILED, sentence):
        abandon(job, sentence)


def _import(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    asked = job.arguments
    history = History(checked_folder(asked["path"]), job.user, asked["name"], send)
    hold = Hold(job)
    hold(detail="Reading the workspace.")
    seconds = _update(history, asked["follow"], hold)
    while asked["follow"] and history.is_alive:
        pause(max(POLL_SECONDS, SHARE * seconds))
        seconds = _update(history, True, hold)
    job.end(Job.Status.DONE, summary(history.runs), result=_result(history))


def _update(history: History, follow: bool, hold: Hold) -> float:
    """Look at the workspace once; return the seconds that took."""
    began = time.monotonic()
    before = _result(history)
    history.update(follow, hold)
    if (after := _result(history)) != before:
        hold(result=after, detail="Following the training." if history.is_alive else summary(history.runs))
    hold()
    return time.monotonic() - began


def _result(history: History) -> dict[str, list[str]]:
    return {"runs": [str(run.pk) for run in history.runs]}


def summary(runs: list[Run]) -> str:
    if not runs:
        return "No training was found in it."
    return f"{len(runs)} training{'s were' if len(runs) > 1 else ' was'} imported."


def _check(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    hold = Hold(job)
    hold(detail="Checking; the training of two steps takes a minute or two.")
    job.end(Job.Status.DONE, **check_result(check(job.arguments.get("training", True), hold)))


def check_result(findings: list[PartCheck]) -> JsonObject:
    """The result of a check as a job stores it."""
    usable = is_usable(findings)
    detail = "OneTrainer can be used." if usable else "OneTrainer cannot be used yet: see the lines marked as wrong."
    return {"detail": detail, "result": {"usable": usable, "findings": [one.to_dict() for one in findings]}}


def _examine(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    hold = Hold(job)
    hold(detail=_("Examining the site; a long history takes a minute or two."))
    report = examine(job.arguments["mend"], Asked(beat=hold))
    job.end(Job.Status.DONE, report.summary, result={**report.to_dict(), "text": report.to_text()})


def _measure(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    hold = Hold(job)
    hold(detail="Counting.")
    result = take_inventory(hold)
    job.end(Job.Status.DONE, f"{in_words(result['bytes'])} in all.", result=result)


def _clean_up(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    hold = Hold(job)
    hold(detail="Deleting.")
    deletion = Deletion(job.user)
    deletion.remove(job.arguments["items"], hold)
    result = {"removed": deletion.removed, "bytes": deletion.bytes, "left": deletion.left}
    job.end(Job.Status.DONE, _told(deletion), result=result)
    ask_for_inventory(job.user)


def _told(deletion: Deletion) -> str:
    done = ngettext(
        "%(count)s item was deleted, which freed %(bytes)s.",
        "%(count)s items were deleted, which freed %(bytes)s.",
        deletion.removed,
    )
    left = ngettext(
        " %(count)s was kept because it had changed.",
        " %(count)s were kept because they had changed.",
        len(deletion.left),
    )
    told = done % {"count": deletion.removed, "bytes": in_words(deletion.bytes)}
    return told + (left % {"count": len(deletion.left)} if deletion.left else "")


def _delete(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    """Delete runs; runs that are deleted already are skipped, and an error of one run does not stop the others."""
    hold = Hold(job)
    asked, problems = job.arguments["runs"], []
    for number, pk in enumerate(asked, start=1):
        if run := Run.objects.filter(pk=pk).first():
            try:
                delete_run(run, hold)
            except (DomainError, OSError) as problem:
                problems.append({"label": run.name, "run": pk, "why": str(problem)})
        hold(result={"done": number, "of": len(asked), "left": problems})
    result = {"done": len(asked) - len(problems), "of": len(asked), "left": problems}
    job.end(Job.Status.DONE, f"{result['done']} of {len(asked)} runs were deleted.", result=result)


def _fetch(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    from presets.base_models.fetching import do_fetch  # the hub's library costs memory that no other job needs

    do_fetch(ModelFetch.objects.get_queryset().select_related("user").get(pk=job.pk), announce_fetch)


def _data_set(job: Job, send: SEND | None, pause: Callable[[float], object]) -> None:
    detail, result = datasets.work(job)
    job.end(Job.Status.DONE, detail, result=result)


WORK: dict[str, Callable[[Job, SEND | None, Callable[[float], object]], None]] = {
    Job.Kind.IMPORT: _import,
    Job.Kind.CHECK: _check,
    Job.Kind.DOCTOR: _examine,
    Job.Kind.MEASURE: _measure,
    Job.Kind.CLEANUP: _clean_up,
    Job.Kind.DELETE: _delete,
    Job.Kind.FETCH: _fetch,
    Job.Kind.DATA_SET: _data_set,
}
