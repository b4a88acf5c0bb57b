"""The strip with the current run, and the buttons of all pages that show a run."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from presets.preflight.waiting import checker_of, without_a_thread
from training.models import Run
from training.runs.actions import ACTIONS, DataHasChanged
from training.runs.service import TrainerService
from web.errors import DomainError
from web.pages import PageRequest, page, render_page, trainers


@page("GET")
def now_training(request: PageRequest) -> HttpResponse:
    """The strip at the top of every page."""
    return render(request, "training/now_training.html")


@without_a_thread
@page("POST", only=trainers)
def run_action(request: PageRequest, pk: UUID | str, verb: str) -> HttpResponse:
    """Do a button's action and report it in a message: on the page with the button, or alone for htmx."""
    run = get_object_or_404(Run, pk=pk)
    action = ACTIONS.get(verb)
    if action is None:
        raise Http404(_("This action does not exist: reload the page."))
    status, new = 200, None
    try:
        new = action.do(TrainerService(request.user, checker_of(request)), run, request.POST)
        messages.success(request, action.done)
    except DataHasChanged as change:
        facts = {"run": run, "change": str(change), "data": request.POST}
        return render_page(request, "training/run/continue.html", "training/run/_continue.html", facts, change.status)
    except DomainError as problem:
        status = problem.status
        messages.error(request, str(problem))
    if request.htmx and not action.leads_away:
        response = render(request, "_messages.html", status=status)
        return _with_refresh(response)
    return redirect(new.get_absolute_url() if action.leads_away and new else _back(request, run))


def _with_refresh(response: HttpResponse) -> HttpResponse:
    """Tell the page to refresh its parts."""
    response["HX-Trigger"] = "live-refresh"
    return response


def _back(request: PageRequest, run: Run) -> str:
    """The page that the button was on."""
    address = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return address if safe else run.get_absolute_url()
