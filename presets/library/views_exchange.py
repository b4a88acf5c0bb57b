"""Presets on pages: in and out as files, back to an earlier version, copies, favourites."""

from __future__ import annotations

import io
import json
import zipfile

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from presets.library import exchange
from presets.library import verbs as library
from presets.models import Preset
from web.admin_parts import download
from web.errors import BadInput, DomainError
from web.pages import PageRequest, errors_as_messages, page, trainers


@page("POST", only=trainers)
def import_presets(request: PageRequest) -> HttpResponse:
    """Presets from files, a folder or zips, ours or OneTrainer's: all of them, or none where one is wrong."""
    folder = request.POST.get("folder", "").strip()
    try:
        uploads = exchange.read_uploads(request.FILES.getlist("files"))
        if not uploads:
            raise BadInput(_("Choose at least one file to import: JSON, or a zip of them."))
        found = [one for name, content in uploads for one in exchange.from_upload(name, content, folder)]
        exchange.refuse_twins(found)
        with transaction.atomic():
            saved = [exchange.save_imported(item, request.user) for item in found]
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("presets")
    rows = [
        {"preset": version.preset, "version": version, "notes": item.notes}
        for item, version in zip(found, saved, strict=True)
    ]
    return render(request, "presets/library/imported.html", {"rows": rows})


@page("GET")
def export_onetrainer(request: PageRequest, pk: int) -> HttpResponse:
    """One preset as a file that OneTrainer's desktop program opens."""
    shown = get_object_or_404(Preset, pk=pk)
    answer = download(exchange.to_onetrainer(shown.config), "preset.json")
    name = f"{shown.name.rpartition('/')[2]}.json"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer


@page("GET")
def export_zip(request: PageRequest) -> HttpResponse:
    """All presets that are listed, as OneTrainer's files in its folders."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for preset in Preset.objects.listed():
            content = json.dumps(exchange.to_onetrainer(preset.config), indent=4, ensure_ascii=False)
            archive.writestr(f"{preset.name}.json", content)
    headers = {"Content-Disposition": 'attachment; filename="training_presets.zip"'}
    return HttpResponse(packed.getvalue(), content_type="application/zip", headers=headers)


@page("POST", only=trainers)
def revert(request: PageRequest, pk: int) -> HttpResponse:
    """Make an earlier version the content again."""
    shown, number = get_object_or_404(Preset, pk=pk), request.POST.get("version", "")
    with errors_as_messages(request):
        library.revert(shown, int(number) if number.isdecimal() else 0, by=request.user)
        messages.success(
            request,
            _("Version %(number)s is the content again, as version %(version)s.")
            % {"number": number, "version": shown.version},
        )
    return redirect("preset", pk)


@page("POST", only=trainers)
def duplicate(request: PageRequest, pk: int) -> HttpResponse:
    """A preset of one's own with the same content."""
    made = library.duplicate(get_object_or_404(Preset, pk=pk), by=request.user)
    messages.success(request, _("This is your copy: “%(made)s”.") % {"made": made.name})
    return redirect("preset", made.pk)


@page("POST")
def favourite(request: PageRequest, pk: int) -> HttpResponse:
    """Put it first in one's own lists, or not any more."""
    shown = get_object_or_404(Preset, pk=pk)
    library.set_favourite(shown, request.user, request.POST.get("favourite") == "1")
    return redirect("presets") if request.POST.get("from") == "list" else redirect("preset", pk)


@page("POST", only=trainers)
def delete(request: PageRequest, pk: int) -> HttpResponse:
    """Delete it, or archive it where runs refer to it."""
    shown = get_object_or_404(Preset, pk=pk)
    try:
        gone = library.remove(shown)
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("preset", pk)
    what = "was deleted" if gone else "was archived, since runs refer to it"
    messages.success(request, f"“{shown.name}” {what}.")
    return redirect("presets")
