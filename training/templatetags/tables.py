"""Times and loss lines in the table of runs."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from training.table.query import label_of
from web.pages import Context

register = template.Library()
SOON = 60  # seconds
WIDTH, HEIGHT = 72, 18  # size of a loss line


@register.filter
def model_label(model_type: str | None) -> str:
    return label_of("model_type", model_type) if model_type else ""


@register.filter
def method_label(method: str | None) -> str:
    return label_of("training_method", method) if method else ""


@register.filter
def about(moment: datetime) -> str:
    """A future moment as text: now, the time, or day and time."""
    if (moment - now()).total_seconds() < SOON:
        return str(_("now"))
    local, today = localtime(moment), localtime(now())
    return _("about %s") % date_format(local, "H:i" if local.date() == today.date() else "D j M, H:i")


@register.inclusion_tag("training/table/_sparkline.html")
def sparkline(values: list[float] | None) -> Context:
    """A small SVG line of a run's loss; nothing for fewer than two values."""
    return {"points": _points(values) if values and len(values) > 1 else "", "width": WIDTH, "height": HEIGHT}


def _points(values: list[float]) -> str:
    low, high = min(values), max(values)
    across, up = WIDTH / (len(values) - 1), HEIGHT / ((high - low) or 1.0)
    return " ".join(f"{place * across:.1f},{HEIGHT - (value - low) * up:.1f}" for place, value in enumerate(values))
