"""The filters of samples: the same parameters in the gallery's address and in the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from rest_framework.filters import BaseFilterBackend

from engine.interface.json_types import JsonObject
from samples.models import Sample
from training.models import Run
from web.api.filters import MOST_DIGITS, text_parameter
from web.errors import BadInput
from web.ids import as_uuid

MOST_IDS = 5000


def _text(value: str) -> str:
    if "\x00" in value:
        raise ValueError(value)
    return value


def _whole(value: str) -> int:
    if not value.isdecimal() or len(value) > MOST_DIGITS:
        raise ValueError(value)
    return int(value)


def _yes_or_no(value: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[value.lower()]


def _kind(value: str) -> str:
    return Sample.Kind(value).value


def _moment(value: str) -> datetime:
    """A date is its first moment in the site's time zone."""
    day = parse_date(value)
    moment = datetime(day.year, day.month, day.day) if day else parse_datetime(value)
    if moment is None:
        raise ValueError(value)
    return make_aware(moment) if is_naive(moment) else moment


def _end(value: str) -> datetime:
    """A date includes the whole day."""
    return _moment(value) + timedelta(days=1 if parse_date(value) else 0)


def _of_person(name: str) -> Q:
    return Q(run__in=Run.objects.filter(owner__username=name).values("pk"))


# parameter -> (how its text is read, the query, its description)
FILTERS: dict[str, tuple[Callable[[str], Any], Callable[[Any], Q], str]] = {
    "run": (uuid.UUID, lambda value: Q(run=value), "A run's id."),
    "kind": (_kind, lambda value: Q(kind=value), "default or custom."),
    "q": (_text, lambda value: Q(prompt__icontains=value), "Words of the prompt, in this order."),
    "person": (_text, _of_person, "The name of the user who started the run."),
    "favourite": (_yes_or_no, lambda value: Q(favourite=value), "true for favourites only, false for all others."),
    "step_from": (_whole, lambda value: Q(global_step__gte=value), "The first step."),
    "step_to": (_whole, lambda value: Q(global_step__lte=value), "The last step."),
    "since": (_moment, lambda value: Q(created_at__gte=value), "From this date or time on."),
    "until": (_end, lambda value: Q(created_at__lt=value), "Up to this date, with all of its day, or time."),
}
RANGES = ("person", "favourite", "step_from", "step_to", "since", "until")


def narrowed(rows: Any, query: Mapping[str, str], names: Iterable[str] = FILTERS) -> Any:
    """The samples that match the query. Raises BadInput by parameter."""
    for name in names:
        read, asked, description = FILTERS[name]
        if text := (query.get(name) or "").strip():
            try:
                rows = rows.filter(asked(read(text)))
            except (ValueError, KeyError, OverflowError) as error:
                sentence = _("%(value)s cannot be used as %(name)s: %(help)s") % {
                    "value": repr(text[:100]),
                    "name": name,
                    "help": description,
                }
                raise BadInput(sentence, {name: [sentence]}) from error
    return rows


def of_ids(ids: list[str]) -> list[Sample]:
    """The samples with these ids, newest first. Raises BadInput."""
    if len(ids) > MOST_IDS:
        raise BadInput(_("At most %(most)s samples at once: choose fewer.") % {"most": MOST_IDS})
    keys = [key for text in ids if (key := as_uuid(text))]
    if len(keys) < len(ids):
        raise BadInput(_("A sample's id looks like 123e4567-e89b-42d3-a456-426614174000: check the ids."))
    found = Sample.objects.select_related("run").defer("run__config").in_bulk(keys)
    return sorted(found.values(), key=lambda sample: (sample.created_at, sample.pk), reverse=True)


class SampleRanges(BaseFilterBackend):
    """The API's parameters that test more than equality."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Sample], view: object) -> QuerySet[Sample]:
        return narrowed(queryset, request.query_params, RANGES)

    def get_schema_operation_parameters(self, view: object) -> list[JsonObject]:
        return [text_parameter(name, FILTERS[name][2]) for name in RANGES]
