"""Starting the draft: the page shows the progress of a worker's check, then the run is queued."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.timezone import now
from django.utils.translation import gettext as _

from presets.editor import drafts
from presets.models import Draft, Preflight, PresetVersion
from presets.preflight.api import find
from presets.preflight.requests import is_awaited, problems_of
from presets.preflight.views import preflight_context
from presets.preflight.waiting import Awaited, checker_with, is_of
from system.models import Job
from training.models import Run
from training.runs.service import TrainerService
from web.errors import DomainError, NotFound, NotNow
from web.pages import Context, PageRequest, page, render_page, trainers

PAGE, PART = "training/new_run/start.html", "training/new_run/_starting.html"
FRESH = timedelta(minutes=5)  # seconds beyond the wait of a start, since files change


@page("GET", "POST", only=trainers)
def start_when_checked(request: PageRequest, pk: uuid.UUID) -> HttpResponse:
    """Show the check that a start waits for; POST queues the run when the check is done."""
    try:
        asked = find(request.user, pk)
    except NotFound as error:
        raise Http404(str(error)) from error
    if request.method == "POST" and not _has_errors(asked):
        return _start(request, asked)
    return render_page(request, PAGE, PART, starting_context(asked))


def _start(request: PageRequest, asked: Preflight) -> HttpResponse:
    """A check that is too old is repeated; if the draft was changed during the check, nothing starts automatically."""
    draft = drafts.get_draft(request.user)
    try:
        if not is_of(asked, draft.engine, draft.config):
            raise NotNow(_("The settings were changed during the check: press Start again."))
        if not _is_fresh(asked):
            return _go(request, queue_draft(request, draft, None))
        queue = queue_draft if is_awaited(asked) else _queue_once
        return _go(request, queue(request, draft, asked))
    except Awaited as awaited:
        return _go(request, "new-run-start", awaited.preflight.pk)
    except DomainError as problem:
        messages.error(request, str(problem))
        return _go(request, "new-run")


@transaction.atomic
def _queue_once(request: PageRequest, draft: Draft, asked: Preflight) -> Run:
    """Queue one run for this check: a second click, or the page in a second tab, gets the same run."""
    result = Job.objects.select_for_update().get(pk=asked.pk).result
    if run := Run.objects.filter(pk=result.get("run")).first():
        return run
    run = queue_draft(request, draft, asked)
    Job.objects.filter(pk=asked.pk).update(result=result | {"run": str(run.pk)})
    return run


def _go(request: PageRequest, to: Any, *args: object) -> HttpResponse:
    """Send the browser there by a header, since htmx would follow a redirect itself."""
    if request.htmx:
        return HttpResponse(headers={"HX-Redirect": resolve_url(to, *args)})
    return redirect(to, *args)


def _is_fresh(asked: Preflight) -> bool:
    return now() - asked.created_at < timedelta(seconds=settings.PREFLIGHT_SECONDS) + FRESH


def _has_errors(asked: Preflight) -> bool:
    return any(problem.is_error for problem in problems_of(asked))


def starting_context(asked: Preflight) -> Context:
    """The context of `_starting.html`."""
    return preflight_context(asked) | {
        "starting": True,
        "awaited": is_awaited(asked),
        "has_errors": _has_errors(asked),
    }


def queue_draft(request: PageRequest, draft: Draft, asked: Preflight | None) -> Run:
    """Queue a run of the draft and report it; raises Awaited until `asked` has a worker's answer, and domain errors."""
    facts = draft.facts
    kind, _colon, value = draft.start.partition(":")
    run = TrainerService(request.user, checker_with(asked)).start_training(
        draft.config,
        made_from=_version_of(draft) if kind == "preset" else None,
        name=facts.get("name", "").strip(),
        engine=draft.engine,
        parent=_run_behind(kind, value),
        notes=facts.get("notes", ""),
        tags=[tag.strip() for tag in facts.get("tags", "").split(",") if tag.strip()],
    )
    drafts.retry(draft, lambda one: drafts.change_facts(one, one.revision, {"name": "", "notes": ""}))
    messages.success(request, _("“%(run)s” is in the queue.") % {"run": run.name})
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
