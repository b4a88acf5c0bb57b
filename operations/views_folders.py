"""The folders that configs may use: listed on the system page, and changed there by admins."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from web.errors import BadInput
from web.models import AllowedFolder
from web.pages import PageRequest, admins, page
from web.paths import folders


@page("POST", only=admins)
def add_folder(request: PageRequest) -> HttpResponse:
    """Open a folder for configs."""
    try:
        folder = folders.add(request.POST.get("path", ""), request.user)
        messages.success(request, _("Configs may use %(path)s now.") % {"path": folder.path})
    except BadInput as problem:
        messages.error(request, str(problem))
    return redirect("system")


@page("POST", only=admins)
def remove_folder(request: PageRequest, pk: int) -> HttpResponse:
    """Close a folder; runs that have started keep what they have read."""
    folder = get_object_or_404(AllowedFolder, pk=pk)
    folder.delete()
    messages.success(request, _("Configs may not use %(path)s any more.") % {"path": folder.path})
    return redirect("system")
