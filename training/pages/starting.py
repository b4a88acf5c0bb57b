"""Starting the draft: the page shows the progress of a worker's check, then the run is queued."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.timezone import now
from django.utils.translation import gettext as _

from presets.editor import drafts
from presets.models import Preflight
from presets.preflight.api import find
from presets.preflight.requests import is_awaited
from presets.preflight.views import preflight_context
from presets.preflight.waiting import Awaited, is_of
from training.models import Run
from training.runs.draft_starts import has_errors, queue_once, run_of, start_draft
from web.errors import DomainError, NotFound, NotNow
from web.pages import Context, PageRequest, page, render_page, trainers

PAGE, PART = "training/new_run/start.html", "training/new_run/_starting.html"
FRESH = timedelta(minutes=5)  # seconds beyond the wait of a start, since files change


@page("GET", "POST", only=trainers)
def start_when_checked(request: PageRequest, pk: uuid.UUID) -> HttpResponse:
    """Show the check that a start waits for, and then the run; a worker queues it, or else POST does."""
    try:
        asked = find(request.user, pk)
    except NotFound as error:
        raise Http404(str(error)) from error
    if run := run_of(asked):
        return _go_to_run(request, run)
    if request.method == "POST" and not has_errors(asked):
        return _start(request, asked)
    return render_page(request, PAGE, PART, starting_context(asked))


def _start(request: PageRequest, asked: Preflight) -> HttpResponse:
    """A check that is too old is repeated; if the draft was changed during the check, nothing starts automatically."""
    draft = drafts.get_draft(request.user)
    try:
        if not is_of(asked, draft.engine, draft.config):
            raise NotNow(_("The settings were changed during the check: press Start again."))
        if not _is_fresh(asked):
            return _go_to_run(request, start_draft(request.user, draft))
        if is_awaited(asked):
            raise Awaited(asked)
        return _go_to_run(request, queue_once(request.user, draft, asked))
    except Awaited as awaited:
        return _go(request, "new-run-start", awaited.preflight.pk)
    except DomainError as problem:
        messages.error(request, str(problem))
        return _go(request, "new-run")


def _go_to_run(request: PageRequest, run: Run) -> HttpResponse:
    say_queued(request, run)
    return _go(request, run)


def say_queued(request: PageRequest, run: Run) -> None:
    messages.success(request, _("“%(run)s” is in the queue.") % {"run": run.name})


def _go(request: PageRequest, to: Any, *args: object) -> HttpResponse:
    """Send the browser there by a header, since htmx would follow a redirect itself."""
    if request.htmx:
        return HttpResponse(headers={"HX-Redirect": resolve_url(to, *args)})
    return redirect(to, *args)


def _is_fresh(asked: Preflight) -> bool:
    return now() - asked.created_at < timedelta(seconds=settings.PREFLIGHT_SECONDS) + FRESH


def starting_context(asked: Preflight) -> Context:
    """The context of `_starting.html`."""
    return preflight_context(asked) | {
        "starting": True,
        "awaited": is_awaited(asked),
        "has_errors": has_errors(asked),
    }
