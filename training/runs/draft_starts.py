"""Starts of drafts: each waits for a worker's check, and queues its run once, whether or not its page is still open."""

from __future__ import annotations

import logging

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from presets.editor import drafts
from presets.models import Draft, Preflight, PresetVersion
from presets.preflight.requests import problems_of
from presets.preflight.waiting import Awaited, checker_with, is_of
from system.models import Job
from training.models import Run
from training.runs.service import TrainerService
from web.errors import DomainError, NotNow
from web.permissions import may_train

logger = logging.getLogger(__name__)


def start_draft(user: User | AnonymousUser, draft: Draft) -> Run:
    """Queue a run of the draft.

    Raises domain errors, and Awaited if a worker checks it first: then the check's end queues it, as the check notes.
    """
    try:
        return queue_draft(user, draft, None)
    except Awaited as awaited:
        _note(awaited.preflight, start=draft.pk)
        if Job.objects.get(pk=awaited.preflight.pk).status == Job.Status.DONE:  # before the note
            start_checked(awaited.preflight)
        raise


def start_checked(check: Job) -> None:
    """Queue the run whose start waits for this check, which has just ended; a worker calls this after each check.

    Nothing starts if the check found errors, or if the draft was changed during it; the page of the check shows why.
    """
    asked = Preflight.objects.filter(pk=check.pk, status=Job.Status.DONE).first()
    draft = Draft.objects.filter(pk=asked.arguments.get("start")).select_related("user").first() if asked else None
    if asked is None or draft is None or has_errors(asked) or not may_train(draft.user):
        return
    try:
        run = queue_once(draft.user, draft, asked)
    except (DomainError, Awaited) as problem:
        logger.info("The draft of %s was not started after its check: %s", draft.user, problem)
    else:
        logger.info("The run %s of %s is queued after its check.", run, draft.user)


@transaction.atomic
def queue_once(user: User | AnonymousUser, draft: Draft, asked: Preflight) -> Run:
    """Queue one run for this check: the worker, a second click, or a second tab gets the same run."""
    if run := run_of(_locked(asked).get()):
        return run
    if not is_of(asked, draft.engine, draft.config):
        raise NotNow(_("The settings were changed during the check: press Start again."))
    run = queue_draft(user, draft, asked)
    _note(asked, run=str(run.pk))
    return run


def run_of(asked: Job) -> Run | None:
    """The run that was queued after this check."""
    return Run.objects.filter(pk=asked.arguments.get("run")).first()


def has_errors(asked: Preflight) -> bool:
    return any(problem.is_error for problem in problems_of(asked))


@transaction.atomic
def _note(asked: Job, **facts: object) -> None:
    """Beside the job's other arguments, since its worker writes the result as a whole."""
    rows = _locked(asked)
    rows.update(arguments=rows.get().arguments | facts)


def _locked(asked: Job) -> QuerySet[Job]:
    return Job.objects.select_for_update().filter(pk=asked.pk)


def queue_draft(user: User | AnonymousUser, draft: Draft, asked: Preflight | None) -> Run:
    """Queue a run of the draft; raises Awaited until `asked` has a worker's answer, and domain errors."""
    facts = draft.facts
    kind, _colon, value = draft.start.partition(":")
    run = TrainerService(user, checker_with(asked)).start_training(
        draft.config,
        made_from=_version_of(draft) if kind == "preset" else None,
        name=facts.get("name", "").strip(),
        engine=draft.engine,
        parent=_run_behind(kind, value),
        notes=facts.get("notes", ""),
        tags=[tag.strip() for tag in facts.get("tags", "").split(",") if tag.strip()],
    )
    drafts.retry(draft, lambda one: drafts.change_facts(one, one.revision, {"name": "", "notes": ""}))
    return run


def _run_behind(kind: str, value: str) -> Run | None:
    """The run whose settings the draft was started from."""
    if kind == "file":
        return Run.objects.filter(artifacts__pk=value).first()
    return Run.objects.filter(pk=value).first() if kind == "run" else None


def _version_of(draft: Draft) -> PresetVersion | None:
    """The version of the preset that the draft was started from."""
    number = draft.facts.get("base", {}).get("version")
    return PresetVersion.objects.filter(preset_id=int(draft.start.partition(":")[2]), number=number).first()
