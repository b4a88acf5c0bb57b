"""Preflights on pages: started for a draft, followed until they end, and shown."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from engine.downloads import DOWNLOAD
from engine.interface.errors import Problem
from presets.config.configs import validate
from presets.editor.fields import Shown, placed
from presets.editor.form import form_of
from presets.models import Draft, Preflight
from presets.preflight import requests as preflight
from presets.preflight.api import find
from system.models import Job
from web.errors import BadInput
from web.pages import Context, PageRequest, page, render_page, trainers


@page("POST", only=trainers)
def start(request: PageRequest) -> HttpResponse:
    """Ask a worker to check one of the user's drafts; problems of the quick check are shown at once."""
    pk = request.POST.get("draft", "")
    draft = get_object_or_404(Draft, pk=int(pk) if pk.isdecimal() else 0, user=request.user)
    problems = validate(draft.config, draft.engine)
    if any(problem.is_error for problem in problems):
        return render(request, "presets/preflight/_preflight.html", {"problems": _placed(draft.engine, problems)})
    try:
        check = preflight.request(request.user, draft.config, draft.engine)
    except BadInput as error:
        return render(request, "presets/preflight/_preflight.html", {"refusal": str(error)})
    if not request.htmx:
        return redirect("preflight", check.pk)
    return render(request, "presets/preflight/_preflight.html", preflight_context(check))


@page("GET")
def show(request: PageRequest, pk: uuid.UUID) -> HttpResponse:
    """One preflight, with its progress or findings; the page requests it repeatedly until it has ended."""
    context = preflight_context(find(request.user, pk))
    return render_page(request, "presets/preflight/preflight.html", "presets/preflight/_preflight.html", context)


def _placed(engine: str, problems: list[Problem]) -> list[Shown]:
    """The problems with their links into the editor, errors first."""
    form = form_of(engine)
    return [placed(form, problem) for problem in sorted(problems, key=lambda one: not one.is_error)]


def preflight_context(check: Preflight) -> Context:
    """The context of `_preflight.html`."""
    estimate = check.estimate
    gpus = estimate.get("gpus") or []
    room = int(min(gpu["memory_total_gb"] for gpu in gpus) * 1024**3) if gpus else 0
    return {
        "preflight": check,
        "problems": _placed(check.engine, preflight.problems_of(check)),
        "unattended": check.status == Job.Status.WAITING and not preflight.worker_is_alive(),
        "unclaimed": preflight.unanswered(check) if preflight.is_unclaimed(check) else "",
        "memory": _bar(estimate.get("memory"), room),
        "disk": _bar(estimate.get("disk"), 0),
        "gpus": gpus,
        "room": room,
        "to_fetch": check.config.get("base_model_name") if DOWNLOAD in _parts_of(estimate) else "",
    }


def _parts_of(estimate: Context) -> Context:
    """The parts of the disk estimate; the download of the base model is one if it is not on the worker's machine."""
    return (estimate.get("disk") or {}).get("parts", {})


def _bar(estimate: Context | None, room: int) -> Context | None:
    """The parts with their shares, in percent, of the total or of the available size."""
    if not estimate:
        return None
    whole = max(estimate["total"], room) or 1
    parts, start = [], 0.0
    for name, size in estimate["parts"].items():
        percent = 100 * size / whole
        parts.append({"name": name, "size": size, "start": start, "percent": percent})
        start += percent
    return {"total": estimate["total"], "parts": parts}
