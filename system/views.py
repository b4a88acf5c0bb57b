"""The dashboard and the system page: what trains now, and what the machines do."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from engine.engines import available
from onetrainer_site.pages import PageRequest, render_page
from system.models import Worker
from system.resources import host_info
from system.views_check import newest_check
from training.actions import offered
from training.charts import drawing, lines
from training.models import Run
from training.views_run import LOSSES, newest_samples

QUEUE_SHOWN = 20
PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "Django", "channels", "djangorestframework")


@require_safe
@login_required
def dashboard(request: PageRequest) -> HttpResponse:
    """What trains now, what waits, and what the machine does."""
    return render_page(request, "system/dashboard.html", "system/_dashboard.html", _dashboard())


def _dashboard() -> dict[str, Any]:
    active = list(Run.objects.active().select_related("owner", "preset", "worker"))
    queue = Run.objects.queued().select_related("owner")
    run = active[0] if active else None
    shown = run or Run.objects.ended().order_by("-ended_at").first()
    drawn = lines(shown, LOSSES) if shown else []
    return {
        "run": run,
        "last": None if run else shown,
        "others": active[1:],
        "lines": drawn,
        "drawing": drawing(drawn),
        "actions": offered(run) if run else [],
        "samples": newest_samples(shown) if shown else [],
        "queue": queue[:QUEUE_SHOWN],
        "queue_length": queue.count(),
        "workers": Worker.objects.alive(),
        "host": host_info(),
    }


@require_safe
@login_required
def resources(request: PageRequest) -> HttpResponse:
    """The meters, which pages ask for every few seconds."""
    return render(request, "system/_resources.html", {"host": host_info()})


@require_safe
@login_required
def system(request: PageRequest) -> HttpResponse:
    """Workers, the web server's host, and the versions of what is installed."""
    active = Prefetch("runs", queryset=Run.objects.active(), to_attr="active_runs")
    context = {
        "workers": Worker.objects.prefetch_related(active),
        "host": host_info(),
        "versions": [("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES)],
        "engines": available(),
        **newest_check(),
        "facts": [
            ("Host", platform.node()),
            ("System", platform.platform()),
            ("Database", connection.vendor),
            ("Data folder", settings.DATA_DIR),
            ("Folders that configs may name", ", ".join(map(str, settings.ALLOWED_ROOTS))),
        ],
    }
    return render_page(request, "system/system.html", "system/_system.html", context)


def _version(package: str) -> str:
    """Read from the package's metadata: importing torch would cost the web process its memory."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
