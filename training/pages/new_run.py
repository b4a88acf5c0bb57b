"""A new run: its draft in the editor, started from a preset, a run or the defaults, then checked and queued."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from presets.config import whole
from presets.editor import drafts
from presets.editor.editing import Unsaved
from presets.editor.page import Editor
from presets.editor.views import opened_in, page_context, same_tab, take_post, without_engine
from presets.library.verbs import save_preset
from presets.models import Draft, Preset
from presets.preflight import requests as preflight
from presets.preflight.views import preflight_context
from presets.preflight.waiting import Awaited
from training.models import Artifact, Run
from training.pages.first_draft import draft_of
from training.pages.starting import say_queued, starting_context
from training.runs.draft_starts import start_draft
from training.runs.starting_points import config_behind
from web.errors import BadInput, DomainError
from web.ids import as_uuid
from web.pages import Context, PageRequest, page, trainers

WIZARD = "wizard"  # a start whose settings only the draft holds
BY_RUN = ("run", "file")  # starts from a run


@dataclass(frozen=True)
class DraftStart:
    """A starting point of a draft; `key` is its name in the draft and the form."""

    key: str
    title: str
    config: Context
    version: int | None = None


@page("GET", "POST", only=trainers)
def new_run(request: PageRequest) -> HttpResponse:
    """Show the draft, load another starting point, check the draft, or queue the run."""
    draft = draft_of(request.user)
    if refusal := without_engine(request, draft):
        return refusal
    if request.method != "POST":
        key = _asked_for(request)
        return _load(request, draft, key) if key else _show(request, draft)
    try:
        return _do(request, draft, take_post(request, draft))
    except Unsaved as problem:
        return _show(request, draft, 409, unsaved=problem.typed)
    except DomainError as problem:
        messages.error(request, str(problem))
        return same_tab(request, draft)


def _do(request: PageRequest, draft: Draft, verb: str) -> HttpResponse:
    if verb == "load":
        return _load(request, draft, request.POST.get("start", ""), keep_changes=request.POST.get("keep") == "1")
    if verb == "check":
        return _check(request, draft)
    if verb == "save-preset":
        return _save_as_preset(request, draft)
    return _queue(request, draft) if verb == "start" else same_tab(request, draft)


def _save_as_preset(request: PageRequest, draft: Draft) -> HttpResponse:
    """Save the draft's config as a preset, or as a new version of the preset with that name; the draft stays."""
    name = request.POST.get("preset-name", "").strip()
    try:
        preset = save_preset(name, draft.config, request.user, engine=draft.engine)
    except DomainError as problem:
        messages.error(request, str(problem))
        return _show(request, draft, 400, preset_name=name)
    messages.success(
        request,
        _("The config was saved as “%(preset)s”, version %(version)s.")
        % {"preset": preset.name, "version": preset.version},
    )
    return same_tab(request, draft)


def _check(request: PageRequest, draft: Draft) -> HttpResponse:
    """Show the problems of the quick check; if it finds none and a worker is running, show the worker's check."""
    if Editor(draft).error_count:
        return _show(request, draft, 400, checked=True)
    if not preflight.worker_is_alive():
        return _show(request, draft, checked=True)
    found = preflight.request(request.user, draft.config, draft.engine)
    return _show(request, draft, checked=True, **preflight_context(found))


def _asked_for(request: PageRequest) -> str:
    """The starting point in the address: a preset, a run, or a file of a run."""
    given = ((kind, request.GET.get(kind)) for kind in ("preset", *BY_RUN))
    return next((f"{kind}:{value}" for kind, value in given if value), "")


def _load(request: PageRequest, draft: Draft, key: str, keep_changes: bool = False) -> HttpResponse:
    """Start the draft again from it; the page says so and offers undo."""
    start = _start(key, draft)
    if request.method != "HEAD":
        drafts.load(
            draft,
            draft.revision,
            start.key,
            start.title,
            start.config,
            version=start.version,
            keep_changes=keep_changes,
        )
        kept = " with your changes applied" if keep_changes and drafts.changes_since_start(draft) else ""
        messages.success(
            request,
            _("Loaded %(start)s%(kept)s. Undo restores the previous settings.") % {"start": start.title, "kept": kept},
        )
    return redirect("new-run")


def _start(key: str, draft: Draft) -> DraftStart:
    kind, _colon, value = key.partition(":")
    if kind == draft.start == WIZARD:
        base = draft.facts.get("base", {})
        return DraftStart(key, base.get("title", ""), base.get("config", {}))
    if kind == "preset":
        preset = get_object_or_404(Preset, pk=int(value) if value.isdecimal() and len(value) < 18 else 0)
        return DraftStart(key, f"preset {preset.name}", preset.config, preset.version)
    if kind == "run":
        run = get_object_or_404(Run, pk=_uuid(value))
        return DraftStart(key, f"run {run.name}", whole.compact(run.engine, run.config))
    if kind == "file":
        file = get_object_or_404(Artifact.objects.select_related("run"), pk=_uuid(value))
        return DraftStart(key, f"{file} of run {file.run.name}", whole.compact(file.run.engine, config_behind(file)))
    return DraftStart("", "the defaults", {})


def _uuid(text: str) -> uuid.UUID:
    if found := as_uuid(text):
        return found
    raise Http404(_("There is no such run."))


def _queue(request: PageRequest, draft: Draft) -> HttpResponse:
    """Queue the run; if a worker checks it first, show that check, after which the page starts the run."""
    try:
        run = start_draft(request.user, draft)
        say_queued(request, run)
        return redirect(run)
    except Awaited as awaited:
        return _show(request, draft, **starting_context(awaited.preflight))
    except BadInput as problem:
        if not Editor(draft).error_count:
            messages.error(request, str(problem))
        return _show(request, draft, 400, checked=True, started=True)


def _show(request: PageRequest, draft: Draft, status: int = 200, **more: Any) -> HttpResponse:
    kind, _colon, value = draft.start.partition(":")
    editor = Editor(draft, request.POST.get("tab") or request.GET.get("tab"), opened=opened_in(request))
    context = page_context(request, editor)
    context |= {
        "presets": Preset.objects.listed().only("pk", "name"),
        "start_preset": int(value) if kind == "preset" else None,
        "start_beside": kind in (*BY_RUN, WIZARD),
    }
    return render(request, "training/new_run/new_run.html", context | more, status=status)
