"""The page that compares runs."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from samples.compare_runs import prompts as prompts_of
from samples.compare_runs import sample_rows
from training.metrics.charts import drawing
from training.models import Run
from training.table import compare
from web.pages import Context, PageRequest, page, render_page

AXES = {"steps": _("Steps"), "epochs": _("Epochs"), "seconds": _("Time since the start")}


@page("GET")
def compare_runs(request: PageRequest) -> HttpResponse:
    """Curves, different settings and samples of the runs in the address."""
    runs = compare.chosen_runs(request.GET.get("runs", ""))
    context = _compared(request, runs) if len(runs) > 1 else {}
    return render_page(
        request,
        "samples/runs_compared/compare.html",
        "samples/runs_compared/_compare.html",
        {"runs": _columns(runs), **context},
    )


def _columns(runs: list[Run]) -> list[Context]:
    """Each run with the number of its colour, and the address of the page without that run."""
    ids = [str(run.pk) for run in runs]
    return [
        {"run": run, "colour": number, "without": ",".join(pk for pk in ids if pk != str(run.pk))}
        for number, run in enumerate(runs, start=1)
    ]


def _compared(request: PageRequest, runs: list[Run]) -> Context:
    tags, prompts = compare.tags(runs), prompts_of(runs)
    asked = request.GET.get("tag", "")
    tag = asked if asked in tags else (tags[0] if tags else "")
    drawn = compare.curves(runs, tag) if tag else []
    prompt = next((one for one in prompts if one["key"] == request.GET.get("prompt")), prompts[0] if prompts else None)
    return {
        "ids": ",".join(str(run.pk) for run in runs),
        "tags": tags,
        "tag": tag,
        "axes": AXES.items(),
        "axis": request.GET.get("axis") if request.GET.get("axis") in AXES else "steps",
        "lines": drawn,
        "drawing": drawing(drawn),
        "differences": compare.differences(runs),
        "prompts": prompts,
        "prompt": prompt,
        "rows": sample_rows(runs, prompt) if prompt else [],
    }
