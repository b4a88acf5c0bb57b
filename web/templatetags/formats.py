"""Formats of statuses, times, sizes and numbers, and parts that all pages show."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import PurePath

from django import template
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.interface import free_space
from engine.interface.json_types import JsonObject
from web.permissions import may_train

register = template.Library()
NOTHING = "–"
STATUSES = (  # the database's values for runs, workers, commands and jobs
    *(gettext_noop("queued"), gettext_noop("starting"), gettext_noop("running"), gettext_noop("paused")),
    *(gettext_noop("stopping"), gettext_noop("finished"), gettext_noop("stopped"), gettext_noop("failed")),
    *(gettext_noop("interrupted"), gettext_noop("cancelled"), gettext_noop("planned"), gettext_noop("waiting")),
    *(
        gettext_noop("idle"),
        gettext_noop("busy"),
        gettext_noop("draining"),
        gettext_noop("offline"),
        gettext_noop("lost"),
    ),
    *(gettext_noop("requested"), gettext_noop("delivered"), gettext_noop("done"), gettext_noop("refused")),
    gettext_noop("expired"),
)
# static/js/live/texts.js writes losses, speeds and lengths of time as the filters here do; tests/cases/numbers.json has
# the cases that both are tested with.
FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_UP)
TWO_PLACES = Decimal("0.01")
SMALLEST_PLAIN = Decimal("1e-4")  # a smaller loss is written with an exponent
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
MOVING = {"starting", "running", "stopping", "busy", "draining"}


@register.filter
def loss(value: float | None) -> str:
    """A loss with four significant digits."""
    if value is None:
        return NOTHING
    short = FOUR_DIGITS.create_decimal_from_float(value)
    if not short.is_finite():
        return str(short)  # "NaN" and "Infinity"
    if not short or abs(short) >= SMALLEST_PLAIN:
        return _without_zeros(f"{short:f}") if short else "0"
    digits, exponent = f"{short:e}".split("e")
    return f"{_without_zeros(digits)}e{int(exponent)}"


def _without_zeros(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


@register.filter
def speed(steps_per_second: float | None) -> str:
    """Steps per second, or seconds per step if a step takes longer than a second."""
    if not steps_per_second:
        return NOTHING
    if steps_per_second >= 1:
        return f"{_half_up(steps_per_second, TWO_PLACES)} steps/s"
    return f"{_half_up(1 / steps_per_second, TWO_PLACES)} s/step"


@register.filter
def duration(seconds: float | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return NOTHING
    rest = max(0, int(_half_up(seconds, Decimal(1))))
    parts: list[str] = []
    for name, size in UNITS[_largest_unit(rest) :][:2]:
        count, rest = divmod(rest, size)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts) or "0 s"


def _largest_unit(seconds: int) -> int:
    return next((index for index, (_, size) in enumerate(UNITS) if seconds >= size), len(UNITS) - 1)


def _half_up(value: float, places: Decimal) -> Decimal:
    """Round a half up, as JavaScript does; Python's `round` rounds a half to the even neighbour."""
    return Decimal(value).quantize(places, ROUND_HALF_UP)


@register.filter
def percent(fraction: float) -> int:
    """A fraction as a whole percentage, which is 100 only at the end."""
    return int(fraction * 100)


@register.filter
def signed_percent(fraction: float) -> str:
    """A deviation as +12 % or -3 %."""
    return f"{fraction:+.0%}".replace("%", " %")


@register.filter
def doing(text: str) -> str:
    """OneTrainer's status text without its dots, so that text can follow it: `Sampling ...`."""
    return text.removesuffix("...").rstrip()


@register.filter
def readable(name: str) -> str:
    """The name of a field or enum value as words."""
    return str(name).replace("_", " ")


@register.filter
def file_name(path: str) -> str:
    """The last part of a path."""
    return PurePath(path).name


@register.filter
def seconds_until(moment: datetime | None) -> int:
    """The time until then in whole seconds; 0 if it has passed."""
    return max(0, round((moment - now()).total_seconds())) if moment else 0


@register.filter
def as_json(value: object) -> str:
    """JSON for an attribute that a script reads; the template escapes it."""
    return json.dumps(value, separators=(",", ":"))


@register.filter
def can_train(user: User) -> bool:
    return may_train(user)


@register.inclusion_tag("_status.html")
def status_pill(status: str) -> JsonObject:
    """A status as a coloured word, with colours from css/site.css."""
    return {"status": status, "word": _(status), "moves": status in MOVING}


@register.filter
def size(count: float) -> str:
    """Bytes as MB and GB, in steps of a thousand."""
    return free_space.in_words(count) if count >= 500_000 else f"{max(0, round(count / 1000))} kB"


@register.inclusion_tag("_nav_item.html", takes_context=True)
def nav_item(context: JsonObject, name: str, label: str, icon: str) -> JsonObject:
    """One line of the navigation; marked if the present page is below its address."""
    address = reverse(name)
    request: HttpRequest | None = context.get("request")
    path = request.path if request else ""
    active = path == address or (address != "/" and path.startswith(address) and not path.startswith("/runs/new/"))
    if name == "new-run":
        active = path == address
    return {"address": address, "label": label, "icon": icon, "active": active}


@register.inclusion_tag("_shortcut.html")
def shortcut(key: str, name: str, label: str) -> dict[str, str]:
    """One line of the list of shortcuts: the letter that opens a page after `g`."""
    return {"key": key, "address": reverse(name), "label": label}


@register.simple_tag(takes_context=True)
def with_page(context: JsonObject, number: int) -> str:
    """The query of the present address with another page number."""
    query = context["request"].GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
