"""How pages write statuses, times, sizes and numbers, and the parts that all of them show."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import PurePath
from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.interface import room
from web.permissions import may_train

register = template.Library()
NOTHING = "–"
STATUSES = (  # as the database has them, of runs, workers, commands and jobs
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
MOVING = {"starting", "running", "stopping", "busy", "draining"}


@register.filter
def loss(value: float | None) -> str:
    """A loss with four digits that matter; js/live/numbers.js writes it so too."""
    if value is None:
        return NOTHING
    short = float(f"{value:.4g}")
    if short == 0 or not abs(short) < 1e-4:
        return f"{short:.8f}".rstrip("0").rstrip(".")
    digits, exponent = f"{short:.3e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


@register.filter
def speed(steps_per_second: float | None) -> str:
    """Steps a second, or seconds a step where one takes longer than a second."""
    if not steps_per_second:
        return NOTHING
    if steps_per_second >= 1:
        return f"{steps_per_second:.2f} steps/s"
    return f"{1 / steps_per_second:.2f} s/step"


@register.filter
def duration(seconds: float | None) -> str:
    """The two largest units of a length of time."""
    if seconds is None:
        return NOTHING
    seconds = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = [f"{seconds % before // size} {name}" for (name, size), before in zip(units, _LARGER, strict=True)]
    first = next((index for index, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    return " ".join(part for part in parts[first : first + 2] if not part.startswith("0 ")) or "0 s"


_LARGER = (10**12, 86400, 3600, 60)


@register.filter
def percent(fraction: float) -> int:
    """A fraction as a whole percentage, 100 only when all is done."""
    return int(fraction * 100)


@register.filter
def signed_percent(fraction: float) -> str:
    """A deviation as +12 % or -3 %."""
    return f"{fraction:+.0%}".replace("%", " %")


@register.filter
def doing(text: str) -> str:
    """What OneTrainer says that it does, to go on with: `Sampling ...` is followed by the worker."""
    return text.removesuffix("...").rstrip()


@register.filter
def readable(name: str) -> str:
    """A field's or enum's name as words."""
    return str(name).replace("_", " ")


@register.filter
def file_name(path: str) -> str:
    """The last part of a path."""
    return PurePath(path).name


@register.filter
def seconds_until(moment: datetime | None) -> int:
    """How long it is until then, in whole seconds; 0 for what has passed."""
    return max(0, round((moment - now()).total_seconds())) if moment else 0


@register.filter
def as_json(value: Any) -> str:
    """For an attribute that a script reads; the template escapes it."""
    return json.dumps(value, separators=(",", ":"))


@register.filter
def can_train(user: Any) -> bool:
    return may_train(user)


@register.inclusion_tag("_status.html")
def status_pill(status: str) -> dict[str, Any]:
    """A status as a coloured word; css/site.css has the colours."""
    return {"status": status, "word": _(status), "moves": status in MOVING}


@register.filter
def size(count: float) -> str:
    """Bytes as MB and GB, in steps of a thousand."""
    return room.in_words(count) if count >= 500_000 else f"{max(0, round(count / 1000))} kB"


@register.inclusion_tag("_nav_item.html", takes_context=True)
def nav_item(context: dict[str, Any], name: str, label: str, icon: str) -> dict[str, Any]:
    """One line of the navigation; marked where the page that is shown lies below its address."""
    address = reverse(name)
    request: HttpRequest | None = context.get("request")
    path = request.path if request else ""
    active = path == address or (address != "/" and path.startswith(address) and not path.startswith("/runs/new/"))
    if name == "new-run":
        active = path == address
    return {"address": address, "label": label, "icon": icon, "active": active}


@register.inclusion_tag("_shortcut.html")
def shortcut(key: str, name: str, label: str) -> dict[str, str]:
    """One line of the sheet of shortcuts: the letter that leads to a page after `g`."""
    return {"key": key, "address": reverse(name), "label": label}


@register.simple_tag(takes_context=True)
def with_page(context: dict[str, Any], number: int) -> str:
    """This address's query with another page number."""
    query = context["request"].GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
