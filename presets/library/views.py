"""Presets: the list, one with its history, editing, import and export."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _

from engine.tokens import without_secrets
from presets.admin_changes import changes
from presets.config import configs
from presets.library import from_onetrainer as onetrainer_presets
from presets.library.exchange import to_file
from presets.library.verbs import change_preset, changed_since, create_preset, versions_between
from presets.models import Preset
from web.admin_parts import as_text, download
from web.errors import BadInput
from web.natural import natural
from web.pages import Context, PageRequest, page, render_page, trainers
from web.strict_json import parse

VERSIONS_SHOWN = 50


@page("GET")
def presets(request: PageRequest) -> HttpResponse:
    """All presets by folder, or the archived presets on request."""
    onetrainer_presets.sync()
    archived = request.GET.get("archived") == "1"
    mine = Preset.favourite_of.through.objects.filter(preset=OuterRef("pk"), user_id=request.user.pk)
    rows = Preset.objects.filter(archived=archived).annotate(run_count=Count("runs"), is_favourite=Exists(mine))
    for word in request.GET.get("q", "").split():
        rows = rows.filter(Q(name__icontains=word) | Q(description__icontains=word) | Q(config__icontains=word))
    listed = list(rows.select_related("owner").order_by("name"))
    context = {
        "groups": _groups(listed),
        "query": request.GET,
        "archived": archived,
        "archived_count": Preset.objects.filter(archived=True).count(),
    }
    return render_page(request, "presets/library/presets.html", "presets/library/_presets.html", context)


def _groups(presets: list[Any]) -> list[tuple[str, list[Any]]]:
    """Favourites first, then by folder: presets of users before presets that come with a program."""
    groups: dict[tuple[int, str], list[Any]] = {}
    order = {source: number for number, source in enumerate(Preset.Source, start=1)}
    for preset in sorted(presets, key=lambda preset: natural(preset.name)):
        key = (0, "Favourites") if preset.is_favourite else (order[Preset.Source(preset.source)], preset.folder)
        groups.setdefault(key, []).append(preset)
    return [(name, rows) for (_, name), rows in sorted(groups.items())]


@page("GET")
def preset(request: PageRequest, pk: int) -> HttpResponse:
    """One preset: its settings, its versions and their differences, and the runs made from it."""
    shown = get_object_or_404(Preset, pk=pk)
    versions = list(shown.versions.select_related("created_by")[:VERSIONS_SHOWN])
    context = {
        "preset": shown,
        "rows": changes(configs.defaults(), configs.full_config("builtin", without_secrets(shown.config))),
        "versions": versions,
        "comparison": _comparison(request, shown),
        "runs": [
            (run, len(changed_since(shown, run)))
            for run in shown.runs.newest_first().select_related("owner", "preset_version")[:10]
        ],
        "engines": configs.engines_for(without_secrets(shown.config)),
        "is_favourite": shown.favourite_of.filter(pk=request.user.pk).exists(),
    }
    return render(request, "presets/library/preset.html", context)


def _comparison(request: PageRequest, shown: Preset) -> Context | None:
    """The two versions in the address: `version` against `against` or the version before; 0 means the defaults."""
    number, against = request.GET.get("version", ""), request.GET.get("against", "")
    version = shown.versions.filter(number=int(number)).first() if number.isdecimal() else None
    if version is None:
        return None
    base = int(against) if against.isdecimal() and int(against) <= shown.version else version.number - 1
    rows = [
        {"field": row["field"], "before": as_text(row["before"]), "after": as_text(row["after"])}
        for row in versions_between(shown, base, version.number)
        if row["before"] != row["after"]
    ]
    return {"version": version, "against": base, "rows": rows}


@page("GET", "POST", only=trainers)
def new_preset(request: PageRequest) -> HttpResponse:
    """Create a preset with the typed name and open it in the editor, or create it from a config at once."""
    if request.method != "POST":
        return render(request, "presets/library/new.html", {"typed": {}, "errors": {}})
    typed = {name: request.POST.get(name, "") for name in ("name", "description", "config")}
    try:
        facts = {"name": typed["name"].strip(), "description": typed["description"]}
        saved = create_preset({**facts, "config": _parsed(typed["config"].strip() or "{}")}, by=request.user)
    except BadInput as problem:
        context = {"typed": typed, "errors": _errors(problem)}
        return render(request, "presets/library/new.html", context, status=400)
    messages.success(request, _("The preset “%(saved)s” was saved.") % {"saved": saved.name})
    return redirect("preset" if saved.config else "preset-edit", saved.pk)


def _parsed(text: str) -> Context:
    try:
        config = parse(text)
    except ValueError as error:
        sentence = _("This is not valid JSON (%(error)s): correct it.") % {"error": error}
        raise BadInput(sentence, {"config": [sentence]}) from error
    if not isinstance(config, dict):
        raise BadInput(_("Write an object: {...}."), {"config": [_("Write an object: {...}.")]})
    return config


def _errors(problem: BadInput) -> dict[str, list[str]]:
    """The errors by input: errors that are not about the name belong to the config and keep their field's path."""
    errors: dict[str, list[str]] = {"name": [], "config": []}
    for field, sentences in (problem.errors or {"": [str(problem)]}).items():
        if field in errors:
            errors[field] += sentences
        else:
            errors["config"] += [f"{field}: {sentence}" if field else sentence for sentence in sentences]
    return errors


@page("POST", only=trainers)
def archive_preset(request: PageRequest, pk: int) -> HttpResponse:
    """Archive a preset, or restore it; its versions and runs stay."""
    shown = get_object_or_404(Preset, pk=pk)
    archived = request.POST.get("archived") == "1"
    change_preset(shown, {"archived": archived}, by=request.user)
    sentence = _("“%(shown)s” was archived.") if archived else _("“%(shown)s” was restored from the archive.")
    messages.success(request, sentence % {"shown": shown.name})
    return redirect("presets") if archived else redirect("preset", shown.pk)


@page("GET")
def export_preset(request: PageRequest, pk: int) -> HttpResponse:
    """Export one preset as a file for the import."""
    shown = get_object_or_404(Preset, pk=pk)
    return download(to_file([shown]), f"{slugify(shown.name.replace('/', ' ')) or 'preset'}.json")


@page("GET")
def export_presets(request: PageRequest) -> HttpResponse:
    """Export all listed presets as one file."""
    return download(to_file(Preset.objects.listed()), "presets.json")
