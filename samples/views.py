"""Samples across runs, and one in full size."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext_lazy as _

from samples import gallery
from samples.filters import FILTERS
from samples.models import Sample
from samples.service import SampleService
from training.runs.actions import why_not_drawn
from web.errors import BadInput
from web.pages import Context, PageRequest, page, render_page, trainers

# The settings that people look for, in this order; the others are shown on demand.
FIRST_SETTINGS = (
    ("negative_prompt", _("Negative prompt")),
    ("seed", _("Seed")),
    ("diffusion_steps", _("Steps")),
    ("cfg_scale", _("Guidance")),
    ("noise_scheduler", _("Sampler")),
)
SHOWN_ELSEWHERE = {"prompt", "enabled", "width", "height", *(name for name, _label in FIRST_SETTINGS)}


@page("GET")
def samples(request: PageRequest) -> HttpResponse:
    """The newest samples of all runs, or those that match the filters; a script appends the next pages."""
    context: Context = {"query": request.GET, "filtered": any(map(request.GET.get, FILTERS))}
    status = 200
    try:
        context["stretch"] = gallery.stretch(request.GET)
    except BadInput as problem:
        status, context["sentence"] = 400, str(problem)
    if not request.htmx:
        context |= gallery.choices(request.GET)
    return render_page(request, "samples/samples.html", "samples/_samples.html", context, status)


@page("GET")
def sample(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """One sample in full size, with its settings and links to its neighbours; a part of the page fills the lightbox."""
    return _show(
        request, get_object_or_404(Sample.objects.select_related("run", "favourite_by").defer("run__config"), pk=pk)
    )


def _show(request: PageRequest, shown: Sample) -> HttpResponse:
    facts = [(label, shown.settings[name]) for name, label in FIRST_SETTINGS if _is_said(shown.settings.get(name))]
    others = {name: value for name, value in sorted(shown.settings.items()) if name not in SHOWN_ELSEWHERE}
    further = [(name, value) for name, value in others.items() if _is_said(value)]
    ways = {**neighbours(shown), "why_not_drawn": why_not_drawn(shown.run)}
    context = {"sample": shown, "facts": facts, "further": further, **ways}
    return render_page(request, "samples/sample.html", "samples/_sample.html", context)


def _is_said(value: object) -> bool:
    return value not in ("", None)


def neighbours(shown: Sample) -> dict[str, Sample | None]:
    """The same prompt at the step before and after, and the same step's prompts to the left and right."""
    series = shown.series()
    same_step = list(
        Sample.objects.filter(
            run=shown.run_id, global_step=shown.global_step, kind=shown.kind, is_ema=shown.is_ema
        ).order_by("index", "created_at")
    )
    place = same_step.index(shown)
    return {
        "earlier": series.filter(global_step__lt=shown.global_step).last(),
        "later": series.filter(global_step__gt=shown.global_step).first(),
        "left": same_step[place - 1] if place else None,
        "right": same_step[place + 1] if place + 1 < len(same_step) else None,
    }


@page("POST", only=trainers)
def favourite(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Mark the sample as a favourite, or remove the mark."""
    shown = get_object_or_404(Sample.objects.select_related("run").defer("run__config"), pk=pk)
    SampleService(request.user).mark([shown], request.POST.get("on") == "1")
    shown.refresh_from_db()
    return _show(request, shown) if request.htmx else redirect(shown)
