"""Samples across runs, and one in full size."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from onetrainer_site.pages import PageRequest, page_of, render_page
from samples.models import Sample
from training.models import Run

SAMPLES_ON_A_PAGE = 48
NOT_SHOWN = {"prompt", "enabled"}


@require_safe
@login_required
def samples(request: PageRequest) -> HttpResponse:
    """The newest samples of all runs, or of those that were asked for."""
    context = {
        "page": page_of(request, _filtered(request), SAMPLES_ON_A_PAGE),
        "query": request.GET,
        "runs": Run.objects.filter(samples__isnull=False).distinct().newest_first()[:200],
        "kinds": Sample.Kind.choices,
        "filtered": any(request.GET.get(name) for name in ("q", "run", "kind")),
    }
    return render_page(request, "samples/samples.html", "samples/_samples.html", context)


def _filtered(request: PageRequest) -> QuerySet[Sample]:
    rows = Sample.objects.select_related("run").newest_first()
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(prompt__icontains=text)
    if run := _uuid(request.GET.get("run", "")):
        rows = rows.filter(run=run)
    if (kind := request.GET.get("kind")) in Sample.Kind.values:
        rows = rows.filter(kind=kind)
    return rows


def _uuid(text: str) -> uuid.UUID | None:
    """What is no id asks for nothing."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@require_safe
@login_required
def sample(request: PageRequest, pk: Any) -> HttpResponse:
    """One sample in full size, with its settings and the ways to its neighbours."""
    shown = get_object_or_404(Sample.objects.select_related("run"), pk=pk)
    said = {name: value for name, value in sorted(shown.settings.items()) if value not in ("", None)}
    facts = [(name, value) for name, value in said.items() if name not in NOT_SHOWN]
    return render(request, "samples/sample.html", {"sample": shown, "facts": facts, **_neighbours(shown)})


def _neighbours(shown: Sample) -> dict[str, Sample | None]:
    """Of the same prompt before and after, and of the same step to the left and to the right."""
    same_prompt = Sample.objects.filter(run=shown.run, prompt=shown.prompt, kind=shown.kind)
    same_step = list(
        Sample.objects.filter(run=shown.run, global_step=shown.global_step).order_by("index", "created_at")
    )
    place = same_step.index(shown)
    return {
        "earlier": same_prompt.filter(global_step__lt=shown.global_step).order_by("-global_step").first(),
        "later": same_prompt.filter(global_step__gt=shown.global_step).order_by("global_step").first(),
        "left": same_step[place - 1] if place else None,
        "right": same_step[place + 1] if place + 1 < len(same_step) else None,
    }
