"""The samples of all runs, newest first, page by page: a cursor stays right while newer samples arrive."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from samples.filters import FILTERS, narrowed
from samples.models import Sample
from training.models import Run
from web.errors import BadInput
from web.ids import as_uuid

SIZE = 60
RUNS_TO_CHOOSE = 200


@dataclass
class GalleryPage:
    """One page of samples, and the address of the next page."""

    samples: list[Sample]
    own_query: str
    next_query: str
    newest_query: str
    is_newest: bool


def stretch(query: QueryDict) -> GalleryPage:
    """The samples for a page's address. Raises BadInput."""
    rows = narrowed(Sample.objects.all(), query)
    cursor = query.get("before", "")
    if cursor:
        rows = _older_than(rows, cursor)
    found = list(rows.newest_first().values_list("pk", flat=True)[: SIZE + 1])  # of ids alone, by the indexes alone
    shown = Sample.objects.select_related("run").defer("run__config").in_bulk(found[:SIZE])
    samples = [shown[pk] for pk in found[:SIZE] if pk in shown]
    following = _with_cursor(query, cursor_of(samples[-1])) if samples and len(found) > SIZE else ""
    return GalleryPage(samples, _with_cursor(query, cursor), following, _with_cursor(query, ""), not cursor)


def cursor_of(sample: Sample) -> str:
    return f"{sample.created_at.isoformat()}_{sample.pk.hex}"


def _older_than(rows: Any, cursor: str) -> Any:
    """The index serves the range on the time; the second condition only drops samples of the same microsecond."""
    moment, _separator, key = cursor.partition("_")
    try:
        at, pk = datetime.fromisoformat(moment), uuid.UUID(key)
    except ValueError as error:
        raise BadInput(_("The address names no place in the gallery: start with the newest samples.")) from error
    return rows.filter(created_at__lte=at).exclude(Q(created_at=at) & Q(pk__gte=pk))


def _with_cursor(query: QueryDict, cursor: str) -> str:
    """The non-empty filters, and a place."""
    changed = QueryDict(mutable=True)
    for name in FILTERS:
        if value := query.get(name):
            changed[name] = value
    if cursor:
        changed["before"] = cursor
    return changed.urlencode()


def choices(query: Mapping[str, str]) -> JsonObject:
    """The choices of the filters: runs and users that have samples."""
    drawn = Sample.objects.filter(run=OuterRef("pk"))
    runs = list(Run.objects.filter(Exists(drawn)).newest_first().values_list("pk", "name")[:RUNS_TO_CHOOSE])
    chosen = query.get("run", "")
    if (key := as_uuid(chosen)) and key not in {pk for pk, _name in runs}:
        runs += list(Run.objects.filter(pk=chosen).values_list("pk", "name"))
    people = User.objects.filter(runs__isnull=False).distinct().order_by("username").values_list("username", flat=True)
    return {"runs": [(str(pk), name) for pk, name in runs], "people": people}
