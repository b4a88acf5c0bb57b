"""The dashboard: the current run, the queue, and the newest samples."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

from system.models import Worker
from system.resources import host_info
from training.metrics.charts import drawing, lines
from training.models import Run
from training.pages.result import model_of
from training.pages.run import LOSSES, newest_samples
from training.runs.actions import offered
from web.pages import Context, PageRequest, page, render_page

QUEUE_SHOWN = 20


@page("GET")
def dashboard(request: PageRequest) -> HttpResponse:
    """The current run, the queue, and the state of the machine."""
    return render_page(request, "dashboard.html", "_dashboard.html", _dashboard())


def _dashboard() -> Context:
    active = list(Run.objects.active().with_progress().select_related("owner", "preset", "worker"))
    queue = Run.objects.queued().select_related("owner")
    run = active[0] if active else None
    shown = run or Run.objects.ended().order_by("-ended_at").first()
    drawn = lines(shown, LOSSES) if shown else []
    return {
        "run": run,
        "last": None if run else shown,
        "model": model_of(shown) if shown and not run else None,
        "others": active[1:],
        "lines": drawn,
        "drawing": drawing(drawn),
        "actions": offered(run) if run else [],
        "samples": newest_samples(shown) if shown else [],
        "queue": queue[:QUEUE_SHOWN],
        "queue_length": queue.count(),
        "workers": Worker.objects.alive(),
        "host": host_info(),
        "open_folder": settings.DATA_DIR / "datasets",
    }
