"""A run's settings: the current ones, or those of one of its files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from engine.tokens import without_secrets
from presets.admin_changes import changes
from presets.config import configs, whole
from presets.editor.drafts import get_draft
from presets.library.verbs import save_preset
from training.models import Artifact, Run
from training.pages.run import run_of, show_tab
from training.runs.starting_points import config_behind
from web.admin_parts import download, entries
from web.errors import DomainError
from web.pages import Context, PageRequest, page, trainers

Table = dict[str, Any]


@page("GET")
def config(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The frozen config: its differences from the preset and from the defaults, and all settings."""
    run = run_of(pk)
    file = _file_of(request, run)
    frozen = _settings(run, file)
    context = {"file": file, "entries": entries(frozen), "comparisons": _comparisons(run, file, frozen, request.user)}
    return show_tab(request, run, "run-config", context)


@page("GET")
def config_file(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The same as a JSON file for this site and OneTrainer."""
    run = run_of(pk)
    file = _file_of(request, run)
    name = f"{run.name} step {file.global_step}.json" if file else f"{run.name}.json"
    answer = download(_settings(run, file), "config.json")
    answer["Content-Disposition"] = content_disposition_header(True, name.replace("/", "-")) or "attachment"
    return answer


def _file_of(request: PageRequest, run: Run) -> Artifact | None:
    """The file in the address."""
    asked = request.GET.get("file")
    if not asked:
        return None
    found = next((one for one in run.artifacts.all() if str(one.pk) == asked), None)
    if found is None:
        raise Http404(_("This run does not have this file: choose one from its list."))
    return found


def _settings(run: Run, file: Artifact | None) -> Context:
    return without_secrets(config_behind(file) if file else run.config)


def _comparisons(run: Run, file: Artifact | None, frozen: Context, user: User) -> list[Table]:
    after = _("This file") if file else _("This run")
    bases: list[tuple[str, list[Context]]] = []
    if file is not None:
        bases.append((_("Different from the run's current config"), [run.config]))
    if run.preset_version is not None:
        name = _("Changed from the preset %(name)s") % {"name": run.preset_version}
        bases.append((name, [run.preset_version.config]))
    if run.parent is not None:
        bases.append((_("Changed from the run %(name)s") % {"name": run.parent.name}, [run.parent.config]))
    bases.append((_("Changed from the engine's defaults"), []))
    draft = get_draft(user)
    if draft.engine == run.engine:
        bases.append((_("Different from your current draft"), [draft.config]))
    return [{"title": title, "after": after, **_comparison(run.engine, frozen, layers)} for title, layers in bases]


def _comparison(engine: str, frozen: Context, layers: list[Context]) -> Table:
    """The changes, or a sentence with the reason why there are none: the engine may have been removed."""
    try:
        base = whole.compact(engine, without_secrets(configs.full_config(engine, *layers)))
        return {"rows": changes(base, whole.compact(engine, frozen))}
    except DomainError as problem:
        return {"problem": str(problem)}


@page("POST", only=trainers)
def keep_as_preset(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Save the run's config as a preset, or as a new version of the preset with that name."""
    run = run_of(pk)
    try:
        preset = save_preset(
            request.POST.get("name", "").strip(),
            whole.compact(run.engine, run.config),
            request.user,
            f"from the run {run.name}",
            run.engine,
        )
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("run-config", run.pk)
    messages.success(
        request,
        _("The config was saved as “%(preset)s”, version %(version)s.")
        % {"preset": preset.name, "version": preset.version},
    )
    return redirect("preset", preset.pk)
