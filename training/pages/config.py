"""A run's settings: as they are now, or those that made one of its files."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from engine.tokens import without_secrets
from presets.admin_changes import changes
from presets.config import configs
from presets.editor.drafts import get_draft
from presets.library.verbs import save_preset
from training.models import Artifact, Run
from training.pages.run import run_of, show_tab
from training.runs.starting_points import config_behind
from web.admin_parts import download, entries
from web.errors import DomainError
from web.pages import PageRequest, page, trainers

Table = dict[str, Any]


@page("GET")
def config(request: PageRequest, pk: Any) -> HttpResponse:
    """The frozen config: what differs from the preset and from the defaults, and all of it."""
    run = run_of(pk)
    file = _file_of(request, run)
    frozen = _settings(run, file)
    context = {"file": file, "entries": entries(frozen), "comparisons": _comparisons(run, file, frozen, request.user)}
    return show_tab(request, run, "run-config", context)


@page("GET")
def config_file(request: PageRequest, pk: Any) -> HttpResponse:
    """The same as a JSON file, which both this site and OneTrainer read."""
    run = run_of(pk)
    file = _file_of(request, run)
    name = f"{run.name} step {file.global_step}.json" if file else f"{run.name}.json"
    answer = download(_settings(run, file), "config.json")
    answer["Content-Disposition"] = content_disposition_header(True, name.replace("/", "-")) or "attachment"
    return answer


def _file_of(request: PageRequest, run: Run) -> Artifact | None:
    """The one that the address names."""
    asked = request.GET.get("file")
    if not asked:
        return None
    found = next((one for one in run.artifacts.all() if str(one.pk) == asked), None)
    if found is None:
        raise Http404(_("This run has no such file: choose one from its list."))
    return found


def _settings(run: Run, file: Artifact | None) -> dict[str, Any]:
    return without_secrets(config_behind(file) if file else run.config)


def _comparisons(run: Run, file: Artifact | None, frozen: dict[str, Any], user: Any) -> list[Table]:
    after = _("This file") if file else _("This run")
    bases: list[tuple[str, list[dict[str, Any]]]] = []
    if file is not None:
        bases.append((_("Different from the run's config as it is now"), [run.config]))
    if run.preset_version is not None:
        name = _("Changed from the preset %(name)s") % {"name": run.preset_version}
        bases.append((name, [run.preset_version.config]))
    if run.parent is not None:
        bases.append((_("Changed from the run %(name)s") % {"name": run.parent.name}, [run.parent.config]))
    bases.append((_("Changed from the engine's defaults"), []))
    draft = get_draft(user)
    if draft.engine == run.engine:
        bases.append((_("Different from your draft as it is now"), [draft.config]))
    return [{"title": title, "after": after, **_comparison(run.engine, frozen, layers)} for title, layers in bases]


def _comparison(engine: str, frozen: dict[str, Any], layers: list[dict[str, Any]]) -> Table:
    """The changes, or the sentence why there are none: an engine may have been removed since."""
    try:
        return {"rows": changes(without_secrets(configs.full_config(engine, *layers)), frozen)}
    except DomainError as problem:
        return {"problem": str(problem)}


@page("POST", only=trainers)
def keep_as_preset(request: PageRequest, pk: Any) -> HttpResponse:
    """Make the run's config a preset, or a new version of the one with that name."""
    run = run_of(pk)
    try:
        preset = save_preset(
            request.POST.get("name", "").strip(), run.config, request.user, f"from the run {run.name}", run.engine
        )
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("run-config", run.pk)
    messages.success(
        request,
        _("The config was kept as “%(preset)s”, version %(version)s.")
        % {"preset": preset.name, "version": preset.version},
    )
    return redirect("preset", preset.pk)
