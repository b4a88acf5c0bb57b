"""The system page, and draining a worker."""

from __future__ import annotations

import importlib.metadata
import platform

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from engine.engines import available
from operations.views_check import newest_check
from system.models import Worker
from system.readings import machines
from system.resources import host_info
from training.models import Run
from training.queue.board import LONG
from web.models import AllowedFolder
from web.pages import Context, PageRequest, page, render_page, trainers

PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "Django", "channels", "djangorestframework")


@page("GET")
def system(request: PageRequest) -> HttpResponse:
    """Machines with their last two hours, workers, and installed versions."""
    return render_page(request, "operations/system.html", "operations/_system.html", {**_system(), **_folders()})


@page("POST", only=trainers)
def drain(request: PageRequest, pk: int) -> HttpResponse:
    """Make a worker take no more runs, or take runs again."""
    worker = get_object_or_404(Worker, pk=pk)
    worker.set_drain(request.POST.get("drain") == "true", by=request.user)
    sentence = _("%(name)s takes no more runs.") if worker.drain else _("%(name)s takes runs again.")
    messages.success(request, sentence % {"name": worker.name})
    if request.htmx:
        return render(request, "operations/_system.html", {**_system(), "news": True})
    return redirect("system")


def _system() -> Context:
    active = Prefetch("runs", queryset=Run.objects.active().defer(*LONG), to_attr="active_runs")
    workers = list(Worker.objects.select_related("drain_set_by").prefetch_related(active))
    found = machines(workers)
    return {
        "workers": workers,
        "machines": found,
        "host": None if found else host_info(),
        "versions": [("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES)],
        "engines": available(),
        **newest_check(),
        "facts": [
            (_("Host"), platform.node()),
            (_("System"), platform.platform()),
            (_("Database"), connection.vendor),
            (_("Data folder"), settings.DATA_DIR),
        ],
    }


def _folders() -> Context:
    own = [settings.DATA_DIR / "datasets", settings.DATA_DIR / "models"]
    return {"fixed_folders": [*own, *settings.ALLOWED_ROOTS], "added_folders": AllowedFolder.objects.all()}


def _version(package: str) -> str:
    """Read from the package's metadata: importing torch would cost the web process its memory."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
