"""Actions on the pages of presets: import, export, restore a version, copy, mark as favourite, delete."""

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
from web.limits.bodies import takes_body
from web.pages import PageRequest, errors_as_messages, page, trainers


@takes_body("FILES_BODY_BYTES")
@page("POST", only=trainers)
def import_presets(request: PageRequest) -> HttpResponse:
    """Import presets from files, a folder or zips, ours or OneTrainer's; if one is wrong, none is imported."""
    folder = request.POST.get("folder", "").strip()
    try:
        uploads = exchange.read_uploads(request.FILES.getlist("files"))
        if not uploads:
            raise BadInput(_("Choose at least one file to import: JSON, or a zip of them."))
        presets = [preset for name, content in uploads for preset in exchange.from_upload(name, content, folder)]
        exchange.refuse_twins(presets)
        with transaction.atomic():
            saved = [exchange.save_imported(preset, request.user) for preset in presets]
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("presets")
    rows = [
        {"preset": version.preset, "version": version, "notes": preset.notes}
        for preset, version in zip(presets, saved, strict=True)
    ]
    return render(request, "presets/library/imported.html", {"rows": rows})


@page("GET")
def export_onetrainer(request: PageRequest, pk: int) -> HttpResponse:
    """Export one preset as a file that OneTrainer's desktop program opens."""
    shown = get_object_or_404(Preset, pk=pk)
    answer = download(exchange.to_onetrainer(shown.config), "preset.json")
    name = f"{shown.name.rpartition('/')[2]}.json"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer


@page("GET")
def export_zip(request: PageRequest) -> HttpResponse:
    """Export all listed presets as OneTrainer's files in folders."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for preset in Preset.objects.listed():
            content = json.dumps(exchange.to_onetrainer(preset.config), indent=4, ensure_ascii=False)
            archive.writestr(f"{preset.name}.json", content)
    headers = {"Content-Disposition": 'attachment; filename="training_presets.zip"'}
    return HttpResponse(packed.getvalue(), content_type="application/zip", headers=headers)


@page("POST", only=trainers)
def revert(request: PageRequest, pk: int) -> HttpResponse:
    """Restore an earlier version."""
    shown, number = get_object_or_404(Preset, pk=pk), request.POST.get("version", "")
    with errors_as_messages(request):
        library.revert(shown, int(number) if number.isdecimal() else 0, by=request.user)
        messages.success(
            request,
            _("Version %(number)s was restored as version %(version)s.") % {"number": number, "version": shown.version},
        )
    return redirect("preset", pk)


@page("POST", only=trainers)
def duplicate(request: PageRequest, pk: int) -> HttpResponse:
    """Copy a preset to a preset of the user."""
    copy = library.duplicate(get_object_or_404(Preset, pk=pk), by=request.user)
    messages.success(request, _("The preset was copied to “%(copy)s”.") % {"copy": copy.name})
    return redirect("preset", copy.pk)


@page("POST")
def favourite(request: PageRequest, pk: int) -> HttpResponse:
    """Mark a preset as the user's favourite, or remove the mark."""
    shown = get_object_or_404(Preset, pk=pk)
    library.set_favourite(shown, request.user, request.POST.get("favourite") == "1")
    return redirect("presets") if request.POST.get("from") == "list" else redirect("preset", pk)


@page("POST", only=trainers)
def delete(request: PageRequest, pk: int) -> HttpResponse:
    """Delete a preset, or archive it if runs refer to it."""
    shown = get_object_or_404(Preset, pk=pk)
    try:
        gone = library.remove(shown)
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("preset", pk)
    what = "was deleted" if gone else "was archived instead of deleted, since runs were made from it"
    messages.success(request, f"“{shown.name}” {what}.")
    return redirect("presets")
