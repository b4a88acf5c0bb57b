"""One run: a page for each of its tabs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from onetrainer_site.pages import PageRequest, page_of, render_page, trainers_only
from presets import configs
from presets.admin_parts import changes, entries
from presets.errors import DomainError
from presets.exchange import without_secrets
from presets.library import save_preset
from training.actions import can_draw, offered
from training.charts import drawing, lines, tags_of
from training.logs import tail
from training.models import Artifact, Run, RunCommand
from training.service import TrainerService
from training.timeline import timeline as moments_of

TABS = {
    "run": ("Overview", "layout-dashboard"),
    "run-samples": ("Samples", "photo"),
    "run-metrics": ("Metrics", "chart-line"),
    "run-log": ("Log", "file-text"),
    "run-config": ("Config", "adjustments"),
    "run-timeline": ("Timeline", "history"),
}
LOSSES = ["loss", "smooth_loss"]
NEWEST_SAMPLES = 8
SAMPLE_STEPS_ON_A_PAGE = 12
COMMANDS_SHOWN = 5


def _run(pk: Any) -> Run:
    return get_object_or_404(Run.objects.select_related("owner", "preset", "preset_version", "worker", "parent"), pk=pk)


def _show(request: PageRequest, run: Run, tab: str, context: dict[str, Any]) -> HttpResponse:
    """A tab's page; the templates of their contents are named after the tabs."""
    shared = {
        "run": run,
        "tab": tab,
        "tab_label": TABS[tab][0],
        "tabs": [(key, label, icon) for key, (label, icon) in TABS.items()],
        "actions": offered(run),
        "content": f"training/_{tab.replace('-', '_')}.html" if tab != "run" else "training/_run_overview.html",
    }
    return render_page(request, "training/run.html", "training/_run.html", {**shared, **context})


@require_safe
@login_required
def overview(request: PageRequest, pk: Any) -> HttpResponse:
    """How far it is, its loss, its newest samples, and its files."""
    run = _run(pk)
    drawn = lines(run, LOSSES)
    context = {
        "lines": drawn,
        "drawing": drawing(drawn),
        "samples": newest_samples(run),
        "artifacts": run.artifacts.order_by("-created_at"),
        "commands": run.commands.order_by("-requested_at")[:COMMANDS_SHOWN],
        "open_commands": run.commands.filter(status__in=RunCommand.OPEN).count(),
        "can_draw": can_draw(run),
        "place": _place_in_queue(run),
        "warnings": run.events.filter(kind="warning").order_by("-at")[:COMMANDS_SHOWN],
    }
    return _show(request, run, "run", context)


def newest_samples(run: Run) -> list[Any]:
    """The newest, those of one step in the order of their prompts."""
    newest = run.samples.newest_first()[:NEWEST_SAMPLES]
    return sorted(newest, key=lambda sample: (-sample.global_step, sample.index))


def _place_in_queue(run: Run) -> int:
    """1 for the run that starts next, 0 for one that does not wait."""
    waiting = list(Run.objects.queued().values_list("pk", flat=True))
    return waiting.index(run.pk) + 1 if run.pk in waiting else 0


@require_safe
@login_required
def samples(request: PageRequest, pk: Any) -> HttpResponse:
    """All samples: a row is a step, and in it a picture for each prompt."""
    run = _run(pk)
    rows = run.samples.all()
    prompts = list(rows.order_by("index").values_list("prompt", flat=True).distinct())
    prompts = list(dict.fromkeys(prompts))
    chosen = request.GET.get("prompt", "")
    if chosen:
        rows = rows.filter(prompt=chosen)
    steps = rows.values_list("global_step", flat=True).distinct().order_by("-global_step")
    page = page_of(request, steps, SAMPLE_STEPS_ON_A_PAGE)
    found = rows.filter(global_step__in=list(page)).order_by("-global_step", "index", "created_at")
    by_step: dict[int, list[Any]] = {step: [] for step in page}
    for sample in found:
        by_step[sample.global_step].append(sample)
    context = {"page": page, "steps": list(by_step.items()), "prompts": prompts, "chosen": chosen}
    return _show(request, run, "run-samples", {**context, "can_draw": can_draw(run)})


@require_safe
@login_required
def metrics(request: PageRequest, pk: Any) -> HttpResponse:
    """A chart for each thing that was measured; the losses share one."""
    run = _run(pk)
    tags = tags_of(run)
    losses = [tag for tag in LOSSES if tag in tags]
    groups = [losses] * bool(losses) + [[tag] for tag in tags if tag not in losses]
    charts = []
    for number, group in enumerate(groups):
        drawn = lines(run, group)
        title = "loss" if group == losses else group[0]
        charts.append({"id": f"chart-{number}", "title": title, "lines": drawn, "drawing": drawing(drawn)})
    return _show(request, run, "run-metrics", {"charts": charts})


@require_safe
@login_required
def log(request: PageRequest, pk: Any) -> HttpResponse:
    """The end of what an attempt's process wrote."""
    run = _run(pk)
    attempt, path = log_of_attempt(request, run)
    return _show(
        request, run, "run-log", {"attempt": attempt, "attempts": range(run.attempt, 0, -1), "log": tail(path)}
    )


def log_of_attempt(request: PageRequest, run: Run) -> tuple[int, Path]:
    """The attempt in the address, or the newest, and where its log lies."""
    asked = request.GET.get("attempt", "")
    attempt = int(asked) if asked.isdecimal() and 1 <= int(asked) <= run.attempt else run.attempt
    return attempt, run.folder / "attempts" / str(attempt) / run.log_file.name


@require_safe
@login_required
def config(request: PageRequest, pk: Any) -> HttpResponse:
    """The frozen config: what differs from the preset and from the defaults, and all of it."""
    run = _run(pk)
    frozen = without_secrets(run.config)
    context = {"entries": entries(frozen), "comparisons": _comparisons(run, frozen)}
    return _show(request, run, "run-config", context)


def _comparisons(run: Run, frozen: dict[str, Any]) -> list[dict[str, Any]]:
    bases: list[tuple[str, list[dict[str, Any]]]] = []
    if run.preset_version is not None:
        bases.append((f"Changed from the preset {run.preset_version}", [run.preset_version.config]))
    if run.parent is not None:
        bases.append((f"Changed from the run {run.parent.name}", [run.parent.config]))
    bases.append(("Changed from the engine's defaults", []))
    return [_comparison(title, run, frozen, layers) for title, layers in bases]


def _comparison(title: str, run: Run, frozen: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    """A titled table of changes, or the sentence why there is none: an engine may have been removed since."""
    try:
        return {"title": title, "rows": changes(without_secrets(configs.full_config(run.engine, *layers)), frozen)}
    except DomainError as problem:
        return {"title": title, "problem": str(problem)}


@require_safe
@login_required
def timeline(request: PageRequest, pk: Any) -> HttpResponse:
    """What happened to the run, newest first."""
    run = _run(pk)
    return _show(request, run, "run-timeline", {"moments": moments_of(run)})


@require_POST
@login_required
@trainers_only
def keep_as_preset(request: PageRequest, pk: Any) -> HttpResponse:
    """Make the run's config a preset, or a new version of the one with that name."""
    run = _run(pk)
    try:
        preset = save_preset(
            request.POST.get("name", "").strip(), run.config, request.user, f"from the run {run.name}", run.engine
        )
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect("run-config", run.pk)
    messages.success(request, f"The config was kept as “{preset.name}”, version {preset.version}.")
    return redirect("preset", preset.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@trainers_only
def delete(request: PageRequest, pk: Any) -> HttpResponse:
    """Show what would be deleted, then delete it."""
    run = _run(pk)
    if request.method != "POST":
        return render(request, "training/run_delete.html", {"run": run, **_what_is_lost(run)})
    try:
        TrainerService(request.user).delete(run)
    except DomainError as problem:
        messages.error(request, str(problem))
        return redirect(run)
    messages.success(request, f"“{run.name}” and its files were deleted.")
    return redirect("runs")


def _what_is_lost(run: Run) -> dict[str, Any]:
    files = [file for file in run.folder.rglob("*") if file.is_file()] if run.folder.exists() else []
    own = run.artifacts.filter(deleted_at=None, path__startswith=f"{run.folder}/")
    return {
        "sample_count": run.samples.count(),
        "artifacts": own.exclude(kind=Artifact.Kind.BACKUP),
        "backup_count": own.filter(kind=Artifact.Kind.BACKUP).count(),
        "file_count": len(files),
        "size": sum(file.stat().st_size for file in files),
    }
