"""Presets: the list, one with its history, editing, import and export."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from onetrainer_site.pages import PageRequest, render_page, trainers_only
from presets import configs
from presets.admin_parts import changes, download
from presets.errors import BadInput, DomainError
from presets.exchange import from_file, parse, save_imported, to_file, without_secrets
from presets.library import change_preset, create_preset
from presets.models import Preset

MAX_FILE_BYTES = 5_000_000
VERSIONS_SHOWN = 50


@require_safe
@login_required
def presets(request: PageRequest) -> HttpResponse:
    """All presets by folder; archived ones where they are asked for."""
    archived = request.GET.get("archived") == "1"
    rows = Preset.objects.filter(archived=archived).order_by("name")
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(name__icontains=text)
    rows = rows.select_related("owner").annotate(run_count=Count("runs"))
    folders: dict[str, list[Preset]] = {}
    for preset in rows:
        folders.setdefault(preset.folder, []).append(preset)
    context = {
        "folders": sorted(folders.items()),
        "query": request.GET,
        "archived": archived,
        "archived_count": Preset.objects.filter(archived=True).count(),
    }
    return render_page(request, "presets/presets.html", "presets/_presets.html", context)


@require_safe
@login_required
def preset(request: PageRequest, pk: int) -> HttpResponse:
    """One preset: what it changes, its versions and their differences, and the runs made from it."""
    shown = get_object_or_404(Preset, pk=pk)
    versions = list(shown.versions.select_related("created_by")[:VERSIONS_SHOWN])
    context = {
        "preset": shown,
        "rows": changes(configs.defaults(), configs.full_config("builtin", without_secrets(shown.config))),
        "versions": versions,
        "comparison": _comparison(request, shown),
        "runs": shown.runs.newest_first().select_related("owner")[:10],
    }
    return render(request, "presets/preset.html", context)


def _comparison(request: PageRequest, shown: Preset) -> dict[str, Any] | None:
    """The version in the address against the one before it."""
    number = request.GET.get("version", "")
    version = shown.versions.filter(number=int(number)).first() if number.isdecimal() else None
    if version is None:
        return None
    before = shown.versions.filter(number__lt=version.number).first()
    old = configs.full_config("builtin", without_secrets(before.config)) if before else configs.defaults()
    new = configs.full_config("builtin", without_secrets(version.config))
    return {"version": version, "before": before, "rows": changes(old, new)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@trainers_only
def new_preset(request: PageRequest) -> HttpResponse:
    """Make a preset from what is typed."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@trainers_only
def edit_preset(request: PageRequest, pk: int) -> HttpResponse:
    """Change name, description or config; a changed config becomes a new version."""
    return _edit(request, get_object_or_404(Preset, pk=pk))


def _edit(request: PageRequest, shown: Preset | None) -> HttpResponse:
    if request.method != "POST":
        return render(request, "presets/edit.html", {"preset": shown, "typed": _as_typed(shown), "errors": {}})
    typed = {name: request.POST.get(name, "") for name in ("name", "description", "config", "note")}
    try:
        saved = _save(shown, typed, request.user)
    except BadInput as problem:
        context = {"preset": shown, "typed": typed, "errors": _errors(problem)}
        return render(request, "presets/edit.html", context, status=400)
    messages.success(request, f"The preset “{saved.name}” was saved.")
    return redirect("preset", saved.pk)


def _as_typed(shown: Preset | None) -> dict[str, str]:
    if shown is None:
        return {"name": "", "description": "", "config": "{\n}", "note": ""}
    config = json.dumps(without_secrets(shown.config), indent=2, ensure_ascii=False)
    return {"name": shown.name, "description": shown.description, "config": config, "note": ""}


def _save(shown: Preset | None, typed: dict[str, str], user: Any) -> Preset:
    """Raises BadInput with the errors of `name`, `config` and the config's own fields."""
    config = _parsed(typed["config"])
    facts: dict[str, Any] = {"name": typed["name"].strip(), "description": typed["description"], "note": typed["note"]}
    if shown is None:
        return create_preset({**facts, "config": config}, by=user)
    if config != without_secrets(shown.config):
        facts["config"] = config
    return change_preset(shown, facts, by=user)


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = parse(text)
    except ValueError as error:
        sentence = f"This is not JSON ({error}): correct it."
        raise BadInput(sentence, {"config": [sentence]}) from error
    if not isinstance(config, dict):
        raise BadInput("Write an object: {...}.", {"config": ["Write an object: {...}."]})
    return config


def _errors(problem: BadInput) -> dict[str, list[str]]:
    """By input: what is not about the name belongs to the config, with its field's path."""
    errors: dict[str, list[str]] = {"name": [], "config": []}
    for field, sentences in (problem.errors or {"": [str(problem)]}).items():
        if field in errors:
            errors[field] += sentences
        else:
            errors["config"] += [f"{field}: {sentence}" if field else sentence for sentence in sentences]
    return errors


@require_POST
@login_required
@trainers_only
def archive_preset(request: PageRequest, pk: int) -> HttpResponse:
    """Take a preset out of the lists, or back into them; its versions and runs stay."""
    shown = get_object_or_404(Preset, pk=pk)
    archived = request.POST.get("archived") == "1"
    change_preset(shown, {"archived": archived}, by=request.user)
    messages.success(request, f"“{shown.name}” was {'archived' if archived else 'taken back from the archive'}.")
    return redirect("presets") if archived else redirect("preset", shown.pk)


@require_safe
@login_required
def export_preset(request: PageRequest, pk: int) -> HttpResponse:
    """One preset as a file that the import reads."""
    shown = get_object_or_404(Preset, pk=pk)
    return download(to_file([shown]), f"{slugify(shown.name.replace('/', ' ')) or 'preset'}.json")


@require_safe
@login_required
def export_presets(request: PageRequest) -> HttpResponse:
    """All presets that are listed, in one file."""
    return download(to_file(Preset.objects.listed()), "presets.json")


@require_POST
@login_required
@trainers_only
def import_presets(request: PageRequest) -> HttpResponse:
    """Presets from files, ours or OneTrainer's: all of them, or none where one is wrong."""
    files = request.FILES.getlist("files")
    try:
        if not files:
            raise BadInput("Choose at least one JSON file to import.")
        with transaction.atomic():
            saved = [save_imported(item, request.user) for file in files for item in _read(file)]
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("presets")
    names = ", ".join(f"“{version.preset.name}”" for version in saved)
    messages.success(request, f"Imported: {names}.")
    return redirect("presets")


def _read(file: Any) -> list[dict[str, Any]]:
    if file.size > MAX_FILE_BYTES:
        raise BadInput(f"{file.name} is larger than {MAX_FILE_BYTES // 1_000_000} MB: this is no preset.")
    return from_file(file.name, file.read())
