"""The Samples tab of a run."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse

from samples.grid import grid
from samples.models import Sample
from training.pages.run import run_of, show_tab
from training.runs.actions import drawing_of
from web.pages import PageRequest, page, page_of

STEPS_ON_A_PAGE = 15
CUSTOM_SHOWN = 24


@page("GET")
def samples(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The run's own prompts as a grid, and custom samples below; `old=1` adds those of steps trained again later."""
    run = run_of(pk)
    with_old = request.GET.get("old") == "1"
    shown = Sample.objects.filter(run=run) if with_old else Sample.objects.present().filter(run=run)
    default = shown.filter(kind=Sample.Kind.DEFAULT)
    page = page_of(
        request,
        default.values_list("global_step", flat=True).distinct().order_by("-global_step"),
        STEPS_ON_A_PAGE,
    )
    columns, rows = grid(default.filter(global_step__in=list(page)))
    context = {
        "page": page,
        "columns": columns,
        "rows": rows,
        "custom": shown.filter(kind=Sample.Kind.CUSTOM).newest_first()[:CUSTOM_SHOWN],
        "with_old": with_old,
        "old_count": run.samples.filter(superseded=True).count(),
        "draw": drawing_of(run),
    }
    return show_tab(request, run, "run-samples", context)
