"""One run: a page for each of its tabs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from training.logs.search import first_error, search
from training.logs.tail import around, tail, window
from training.metrics.charts import drawing, lines
from training.metrics.tab import charts_of, marks_of
from training.models import Artifact, Run, RunCommand
from training.pages.result import first_and_last, model_of, second_to
from training.progress.state import how_it_ended
from training.runs.actions import drawing_of, offered, with_ways_on
from training.runs.removal import delete_run
from training.runs.timeline import KINDS, MOST_MOMENTS
from training.runs.timeline import timeline as moments_of
from web.errors import DomainError
from web.pages import Context, PageRequest, page, render_page, trainers

TABS = {
    "run": (gettext_lazy("Overview"), "layout-dashboard"),
    "run-samples": (gettext_lazy("Samples"), "photo"),
    "run-metrics": (gettext_lazy("Metrics"), "chart-line"),
    "run-log": (gettext_lazy("Log"), "file-text"),
    "run-timeline": (gettext_lazy("Timeline"), "history"),
    "run-files": (gettext_lazy("Files"), "files"),
    "run-config": (gettext_lazy("Config"), "adjustments"),
}
LOSSES = ["loss", "smooth_loss"]
NEWEST_SAMPLES = 8
NEWEST_FILES = 3
COMMANDS_SHOWN = 5
MOST_DIGITS = 16  # bytes shown around a place in a log


def run_of(pk: UUID | str) -> Run:
    """The run with all related rows that its page shows."""
    return get_object_or_404(Run.objects.select_related("owner", "preset", "preset_version", "worker", "parent"), pk=pk)


def show_tab(request: PageRequest, run: Run, tab: str, context: Context) -> HttpResponse:
    """A tab's page; the template of its content is named after the tab."""
    model = model_of(run)
    shared = {
        "run": run,
        "model": model,
        "tab": tab,
        "tab_label": TABS[tab][0],
        "tabs": [(key, label, icon) for key, (label, icon) in TABS.items()],
        "actions": second_to(model, offered(run)),
        "outcome": run.commands.filter(attempt=run.attempt).order_by("-requested_at").first(),
        "ending": how_it_ended(run),
        "content": f"training/run/_{tab.replace('-', '_')}.html" if tab != "run" else "training/run/_run_overview.html",
    }
    return render_page(request, "training/run/run.html", "training/run/_run.html", {**shared, **context})


@page("GET")
def overview(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Its progress, loss, newest samples, and files."""
    run = run_of(pk)
    run.is_favourite = run.favourite_of.filter(pk=request.user.pk).exists()  # type: ignore[attr-defined]
    drawn = lines(run, LOSSES)
    context = {
        "lines": drawn,
        "drawing": drawing(drawn),
        "samples": newest_samples(run),
        "pairs": first_and_last(run) if run.is_ended else [],
        "artifacts": with_ways_on(run, NEWEST_FILES),
        "file_count": run.artifacts.count(),
        "commands": run.commands.order_by("-requested_at")[:COMMANDS_SHOWN],
        "open_commands": run.commands.filter(status__in=RunCommand.OPEN).count(),
        "draw": drawing_of(run),
        "place": _place_in_queue(run),
        "warnings": run.events.filter(kind="warning").order_by("-at")[:COMMANDS_SHOWN],
    }
    return show_tab(request, run, "run", context)


def newest_samples(run: Run) -> list[Any]:
    """The newest samples, those of a step in the order of their prompts."""
    newest = run.samples.present().newest_first()[:NEWEST_SAMPLES]
    return sorted(newest, key=lambda sample: (-sample.global_step, sample.index))


def _place_in_queue(run: Run) -> int:
    """1 for the run that starts next, 0 for a run that does not wait."""
    waiting = list(Run.objects.queued().values_list("pk", flat=True))
    return waiting.index(run.pk) + 1 if run.pk in waiting else 0


@page("GET")
def metrics(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """A chart for each group of metrics."""
    run = run_of(pk)
    return show_tab(request, run, "run-metrics", {"charts": charts_of(run), "marks": marks_of(run)})


@page("GET")
def log(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The log of an attempt: its end, the lines around a place in it, or the lines that match a search."""
    run = run_of(pk)
    attempt, path = log_of_attempt(request, run)
    words, level, at = (request.GET.get(name, "") for name in ("q", "level", "at"))
    error = first_error(path) if at == "error" else None
    place = error.offset if error else int(at) if at.isdecimal() and len(at) < MOST_DIGITS else None
    read = around if error or request.GET.get("line") else window
    context = {
        "attempt": attempt,
        "attempts": range(run.attempt, 0, -1),
        "query": {"q": words, "level": level},
        "found": search(path, words, level) if words or level else None,
        "without_error": at == "error" and error is None,
        "window": read(path, place) if place is not None else None,
        "log": tail(path),
    }
    return show_tab(request, run, "run-log", context)


def log_of_attempt(request: PageRequest, run: Run) -> tuple[int, Path]:
    """The attempt in the address, or the newest, and the path of its log."""
    asked = request.GET.get("attempt", "")
    attempt = int(asked) if asked.isdecimal() and 1 <= int(asked) <= run.attempt else run.attempt
    return attempt, run.folder / "attempts" / str(attempt) / run.log_file.name


@page("GET")
def timeline(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The timeline of the run: all events or some kinds, from either end."""
    run = run_of(pk)
    chosen = [kind for kind in request.GET.getlist("kind") if kind in KINDS]
    order = "oldest" if request.GET.get("order") == "oldest" else "newest"
    moments = moments_of(run, chosen, order == "oldest", _moment(request.GET.get("beyond", "")))
    further = QueryDict(mutable=True)
    if len(moments) == MOST_MOMENTS:
        further.update({"order": order, "beyond": moments[-1].at.isoformat()})
        further.setlist("kind", chosen)
    kinds = [(key, label) for key, (label, _) in KINDS.items()]
    context = {"moments": moments, "kinds": kinds, "chosen": chosen, "order": order, "further": further.urlencode()}
    return show_tab(request, run, "run-timeline", context)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


@page("GET", "POST", only=trainers)
def delete(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Show what would be deleted, then delete it."""
    run = run_of(pk)
    if request.method != "POST":
        return render(request, "training/run/run_delete.html", {"run": run, **_what_is_lost(run)})
    try:
        delete_run(run)
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect(run)
    messages.success(request, _("“%(run)s” and its files were deleted.") % {"run": run.name})
    return redirect("runs")


def _what_is_lost(run: Run) -> Context:
    files = [file for file in run.folder.rglob("*") if file.is_file()] if run.folder.exists() else []
    own = run.artifacts.filter(deleted_at=None, path__startswith=f"{run.folder}/")
    return {
        "sample_count": run.samples.count(),
        "artifacts": own.exclude(kind=Artifact.Kind.BACKUP),
        "backup_count": own.filter(kind=Artifact.Kind.BACKUP).count(),
        "file_count": len(files),
        "size": sum(file.stat().st_size for file in files),
    }
