"""Searching the audit log: the same filters for the page and the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, make_aware
from django.utils.translation import gettext as _

from system.audit.models import AuditEntry
from web.errors import BadInput

# By name: what the filter finds.
FILTERS = {
    "person": "A part of the name of the person, or their id.",
    "action": "The beginning of the action, such as run.deleted or run.",
    "thing": "The kind, the id, or a part of the name of the thing.",
    "address": "The client's address.",
    "since": "The first day or time, such as 2026-11-30 or 2026-11-30T18:00.",
    "until": "The last day or time.",
    "text": "A word in the values before and after.",
}


def find(given: Mapping[str, str]) -> QuerySet[AuditEntry]:
    """The entries that fit all given filters, newest first. Raises BadInput for a day that is none."""
    wanted = {name: given.get(name, "").replace("\0", "").strip()[:200] for name in FILTERS}
    rows = AuditEntry.objects.all()
    for name, value in wanted.items():
        if value:
            rows = rows.filter(_condition(name, value))
    return rows


def _condition(name: str, value: str) -> Q:
    match name:
        case "person":
            return Q(actor_name__icontains=value) | Q(actor_id=value)
        case "action":
            return Q(action__startswith=value)
        case "thing":
            return Q(kind=value) | Q(thing_id=value) | Q(thing_name__icontains=value)
        case "address":
            return Q(address=value)
        case "text":
            return Q(before__icontains=value) | Q(after__icontains=value)
    return Q(at__gte=_moment(name, value)) if name == "since" else Q(at__lte=_moment(name, value))


def _moment(name: str, value: str) -> datetime:
    """The time; a day alone counts in the reader's time zone, from its beginning or to its end."""
    try:
        day = parse_date(value)
        found = datetime.combine(day, time.min if name == "since" else time.max) if day else parse_datetime(value)
        if found is not None:
            aware = make_aware(found, get_current_timezone()) if is_naive(found) else found
            return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    sentence = _("Write a day as 2026-11-30, or a time as 2026-11-30T18:00.")
    raise BadInput(sentence, {name: [sentence]})
