"""Words for fetches of base models."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from presets.models import ModelFetch
from system.models import Job
from web.templatetags.formats import duration, size

register = template.Library()


@register.filter
def without_query(source: str) -> str:
    """An address without its query, which may hold a signature."""
    return source.partition("?")[0]


@register.filter
def fetch_words(row: ModelFetch) -> str:
    """What a fetch does now, or how it ended; static/js/pages/base_models.js writes the same."""
    if row.status == Job.Status.WAITING:
        return _("Waits for the fetches before it, and for a worker on %(host)s.") % {"host": row.host}
    if row.status != Job.Status.RUNNING or row.detail:
        return row.detail
    facts = {"done": size(row.bytes_done), "total": size(row.bytes_total), "speed": size(row.bytes_per_second)}
    if row.phase == "checking":
        return _("%(done)s of %(total)s, checking the hash") % facts
    if row.seconds_left is None:
        return _("%(done)s of %(total)s") % facts
    return _("%(done)s of %(total)s, %(speed)s/s, %(left)s left") % {**facts, "left": duration(row.seconds_left)}
