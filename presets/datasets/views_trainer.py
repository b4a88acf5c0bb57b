"""The page that shows what the trainer makes of a data set with a config."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.datasets.api import find
from presets.datasets.listing import Choice, pictures
from presets.datasets.trainers_view import TrainersView
from presets.models import Draft, Preset
from web.errors import BadInput, NotFound
from web.pages import Context, PageRequest, page, page_of

ON_A_PAGE = 60
MOST_DIGITS = 9


@page("GET")
def trainer(request: PageRequest, pk: int) -> HttpResponse:
    """Each picture as it will be cropped, sized and captioned, and the sizes with what they drop and repeat."""
    shown = find(pk)
    number = request.GET.get("config", "")
    context: Context = {"set": shown, "presets": Preset.objects.listed().only("pk", "name"), "chosen": _number(number)}
    try:
        context |= _seen(request, TrainersView(shown, config_of(request, number)))
    except (BadInput, NotFound) as error:
        context["sentence"] = str(error)
    return render(request, "presets/datasets/trainer.html", context)


def config_of(request: PageRequest, number: str) -> JsonObject:
    """The settings of a preset, or of the user's draft of a new run. Raises NotFound."""
    if not number:
        draft = Draft.objects.filter(user_id=request.user.pk, preset=None).first()
        return without_secrets(draft.config) if draft else {}
    preset = Preset.objects.filter(pk=_number(number)).first()
    if preset is None:
        raise NotFound(_("This preset does not exist any more: choose another."))
    return without_secrets(preset.config)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else 0


def _seen(request: PageRequest, seen: TrainersView) -> Context:
    rows = page_of(request, pictures(seen.data_set, Choice(show="included")), ON_A_PAGE)
    buckets = seen.buckets()
    return {
        "seen": seen,
        "buckets": buckets,
        "batches": sum(bucket.batches for bucket in buckets),
        "dropped": sum(bucket.dropped for bucket in buckets),
        "doubts": seen.doubts(),
        "page": rows,
        "shown": seen.see([row.name for row in rows]),
        "encoders": seen.encoders,
    }
