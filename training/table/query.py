"""The table of runs: an address as a database query. The address is the whole state of the table."""

from __future__ import annotations

import functools
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce, Now, StrIndex
from django.http import QueryDict
from django.utils.dateparse import parse_date
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _

from engine.interface.json_types import JsonObject
from presets.editor.form import form_of
from presets.models import Preset
from training.models import Run, RunQuerySet, RunSummary

FILTERS = ("q", "status", "preset", "model", "method", "tag", "person", "from", "to", "favourite")
STATE = (*FILTERS, "sort")  # parameters of an address without the page number, which a saved view does not store
LONG = ("config", "notes", "traceback", "memory_estimate", "summary__words", "summary__tags")
MOST_WORDS = 10
NEWEST = "-date"
TAKEN = ExpressionWrapper(Coalesce(F("ended_at"), Now()) - F("started_at"), output_field=DurationField())


@dataclass(frozen=True)
class Column:
    key: str
    label: Any
    order: str | None
    classes: str = ""


COLUMNS = (
    Column("name", _("Run"), "name"),
    Column("status", _("Status"), "status"),
    Column("preset", _("Preset"), "preset__name", "cell-wide"),
    Column("model", _("Model"), "summary__model_type", "cell-wide cell-widest"),
    Column("method", _("Method"), "summary__training_method", "cell-wide cell-widest"),
    Column("steps", _("Steps"), "progress__global_step"),
    Column("loss", _("Loss"), "progress__smooth_loss"),
    Column("time", _("Time"), "taken"),
    Column("person", _("Person"), "owner__username"),
    Column("date", _("Date"), "created_at"),
)
ORDERS = {column.key: column.order for column in COLUMNS if column.order}


def read(text: str) -> QueryDict:
    """The table's state from an address's query."""
    return QueryDict(state(QueryDict(text.replace("%00", "").replace("\x00", ""))))


def asked_for(query: QueryDict, user: User) -> RunQuerySet:
    """The runs for an address, in its order; parameters that make no sense are ignored."""
    return in_order(with_status(filtered(query, user), query), query, user)


def in_order(found: RunQuerySet, query: QueryDict, user: User) -> RunQuerySet:
    return found.alias(taken=TAKEN).with_favourites_of(user).order_by(*order(query))


def rows(query: QueryDict, user: User) -> RunQuerySet:
    """The same, with all fields that a row of the table shows, without long fields."""
    return as_rows(asked_for(query, user))


def as_rows(found: RunQuerySet) -> RunQuerySet:
    return found.with_progress().select_related("owner", "preset", "summary").defer(*LONG)


def searched(query: QueryDict, user: User) -> tuple[dict[str, int], list[uuid.UUID]]:
    """The counts, and the ids of the rows in order, in one query: a search for words reads every run."""
    found = list(in_order(filtered(query, user), query, user).values_list("pk", "status"))
    wanted = statuses(query)
    return Counter(status for _, status in found), [pk for pk, status in found if not wanted or status in wanted]


def rows_of(ids: Sequence[uuid.UUID], user: User) -> list[Run]:
    """The runs in the order of the ids, without deleted runs."""
    shown = {run.pk: run for run in as_rows(Run.objects.with_favourites_of(user).filter(pk__in=ids))}
    return [shown[pk] for pk in ids if pk in shown]


def filtered(query: QueryDict, user: User) -> RunQuerySet:
    """Filtered by everything except the status, so that the statuses can be counted."""
    found = Run.objects.filter(favourite_of=user) if query.get("favourite") else Run.objects.all()
    return narrowed(found, query)


def narrowed(found: RunQuerySet, query: QueryDict) -> RunQuerySet:
    """The runs with the query's words, tag, preset, model, method, user and days."""
    for number, word in enumerate(query.get("q", "").lower().split()[:MOST_WORDS]):
        found = found.alias(**{f"at_{number}": StrIndex(F("summary__words"), Value(word))})
        found = found.filter(**{f"at_{number}__gt": 0})
    return found.filter(_facts(query))


def _facts(query: QueryDict) -> Q:
    wanted = _tagged(query.get("tag", ""))
    if (preset := query.get("preset", "")).isdecimal():
        wanted &= Q(preset=int(preset[:18]))
    for name, lookup in (("model", "summary__model_type"), ("method", "summary__training_method")):
        if value := query.get(name):
            wanted &= Q(**{lookup: value})
    if person := query.get("person"):
        wanted &= Q(owner__username=person)
    if begin := _day(query.get("from", "")):
        wanted &= Q(created_at__gte=begin)
    if end := _day(query.get("to", "")):
        wanted &= Q(created_at__lt=end + timedelta(days=1))
    return wanted


def _tagged(tag: str) -> Q:
    """Filtered by the tags' JSON in SQLite or PostgreSQL, since searching a run's words takes longer."""
    if not tag:
        return Q()
    written = {json.dumps(tag), json.dumps(tag, ensure_ascii=False)}
    return functools.reduce(Q.__or__, (Q(summary__tags__icontains=text) for text in sorted(written)))


def _day(text: str) -> datetime | None:
    """The start of a day in the site's time zone."""
    try:
        found: date | None = parse_date(text)
    except ValueError:
        return None
    return make_aware(datetime.combine(found, time.min)) if found else None


def with_status(found: RunQuerySet, query: QueryDict) -> RunQuerySet:
    wanted = statuses(query)
    return found.filter(status__in=wanted) if wanted else found


def statuses(query: QueryDict) -> set[str]:
    """The statuses in the query; `active` means all statuses of a training run."""
    names = query.getlist("status")
    wanted = {str(name) for name in names if name in Run.Status.values}
    return wanted | {str(status) for status in Run.ACTIVE} if "active" in names else wanted


def order(query: QueryDict) -> list[Any]:
    """Sorted by the requested column, unknown values last; the newest first among equal values."""
    asked = query.get("sort", "") or NEWEST
    field = F(ORDERS.get(asked.removeprefix("-"), "created_at"))
    first = field.desc(nulls_last=True) if asked.startswith("-") else field.asc(nulls_last=True)
    return [first, "-created_at", "pk"]


def counts(query: QueryDict, user: User) -> dict[str, int]:
    """The number of runs of each status, after the other filters."""
    found = filtered(query, user).order_by().values_list("status").annotate(Count("pk"))
    return dict(found)


def choices() -> JsonObject:
    """The choices of the filters: values that some run has."""
    kinds = set(RunSummary.objects.values_list("model_type", "training_method").distinct().order_by())
    tags = RunSummary.objects.exclude(tags=[]).values_list("tags", flat=True)
    return {
        "presets": Preset.objects.filter(runs__isnull=False).distinct().only("pk", "name").order_by("name"),
        "people": User.objects.filter(runs__isnull=False).distinct().order_by("username").only("pk", "username"),
        "models": _labelled("model_type", {model for model, _ in kinds}),
        "methods": _labelled("training_method", {method for _, method in kinds}),
        "tags": sorted({str(tag) for some in tags for tag in some}, key=str.lower),
    }


def _labelled(field: str, values: set[str]) -> list[tuple[str, str]]:
    return sorted(((value, label_of(field, value)) for value in values if value), key=lambda pair: pair[1].lower())


def label_of(field: str, value: str) -> str:
    """The display name of a model type or a method, as in the editor."""
    labels = {choice.value: choice.label for choice in form_of("builtin").specs[field].choices}
    return labels.get(value) or value.replace("_", " ").capitalize()


def state(query: QueryDict, **changes: Any) -> str:
    """The address's query with some parameters changed, on the first page; None removes a filter."""
    kept = QueryDict(mutable=True)
    for name in STATE:
        if name in changes:
            value = changes[name]
            kept.setlist(name, [] if value is None else [value])
        else:
            kept.setlist(name, [text for text in query.getlist(name) if text])
    return kept.urlencode()
