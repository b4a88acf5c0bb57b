"""Two samples under a slider, and the steps of one prompt as a film."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _

from samples.archives import safe_name
from samples.film import MOST_FRAMES, SPEEDS, WRITERS, film, frames_of
from samples.models import Sample, SampleQuerySet
from training.models import Run
from web.errors import NotFound
from web.guard.rates import costly
from web.ids import as_uuid
from web.pages import PageRequest, page
from web.serving import send_file

RUNS_TO_CHOOSE = 50
STEPS_TO_CHOOSE = 500
USUAL_SPEED = 4


@page("GET")
def compare(request: PageRequest) -> HttpResponse:
    """`a` and `b` are samples; `run` chooses another run with the same prompt for the second."""
    try:
        left = _sample(request.GET.get("a", ""))
        right = _right(left, request.GET.get("b", ""), request.GET.get("run", ""))
    except NotFound as problem:
        return render(request, "samples/compare.html", {"sentence": str(problem)}, status=404)
    context = {
        "left": left,
        "right": right,
        "left_steps": _steps_around(left),
        "right_steps": _steps_around(right),
        "runs": _runs_with(left),
        "seeds_differ": left.settings.get("seed") != right.settings.get("seed"),
    }
    return render(request, "samples/compare.html", context)


def _steps_around(sample: Sample) -> list[Sample]:
    """The samples to choose from, with the chosen one, which may be replaced or beyond the first steps."""
    steps = list(sample.series()[:STEPS_TO_CHOOSE])
    return steps if sample in steps else sorted([*steps, sample], key=lambda one: (one.global_step, one.created_at))


def _shown() -> SampleQuerySet:
    return Sample.objects.select_related("run").defer("run__config")


def _sample(pk: str) -> Sample:
    found = _shown().filter(pk=pk).first() if as_uuid(pk) else None
    if found is None:
        raise NotFound(_("This sample does not exist any more: open another one and press Compare."))
    return found


def _right(left: Sample, pk: str, run: str) -> Sample:
    """The chosen sample, or the sample of the nearest step in the chosen run, or the step before or after."""
    right = _sample(pk) if pk else None
    if right is not None and run in ("", str(right.run_id)):
        return right
    if (key := as_uuid(run)) and key != left.run_id:
        there = _shown().filter(run=key, prompt=left.prompt)
        return _nearest(there, left) or left
    others = left.series().exclude(pk=left.pk)
    return others.filter(global_step__gte=left.global_step).first() or others.last() or left


def _nearest(rows: QuerySet[Sample], to: Sample) -> Sample | None:
    """The sample of the last step up to this one, or else of the first step."""
    by_step = rows.order_by("global_step", "created_at")
    return by_step.filter(global_step__lte=to.global_step).last() or by_step.first()


def _runs_with(sample: Sample) -> list[tuple[str, str]]:
    """The sample's run, and the newest other runs with its prompt."""
    drew = Sample.objects.filter(prompt=sample.prompt).order_by().values("run").distinct()
    others = Run.objects.filter(pk__in=drew).exclude(pk=sample.run_id).newest_first()
    found = [(str(pk), name) for pk, name in others.values_list("pk", "name")[:RUNS_TO_CHOOSE]]
    return [(str(sample.run_id), sample.run.name), *found]


@page("GET")
def film_page(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The steps of a sample's prompt, one after another."""
    sample = get_object_or_404(_shown(), pk=pk)
    frames = frames_of(sample)
    context = {
        "sample": sample,
        "frames": frames,
        "is_thinned": len(frames) == MOST_FRAMES,
        "speeds": SPEEDS,
        "speed": USUAL_SPEED,
        "kinds": list(WRITERS),
    }
    return render(request, "samples/film.html", context)


@costly
@page("GET")
def film_file(request: PageRequest, pk: UUID | str, kind: str) -> HttpResponseBase:
    """The film as a file; `speed` is the number of steps per second."""
    sample = get_object_or_404(Sample, pk=pk)
    speed = request.GET.get("speed", str(USUAL_SPEED))
    made = film(sample, kind, int(speed) if speed.isdecimal() and len(speed) < 4 else 0)
    name = f"{safe_name(sample.run.name, 60)}-{safe_name(sample.prompt, 40)}{made.suffix}"
    return send_file(request, made, as_attachment=True, name=name)
