"""The warning of a full disk, for templates."""

from __future__ import annotations

from django import template

from operations import disk_notice as disk
from web.pages import Context

register = template.Library()


@register.inclusion_tag("operations/_disk_notice.html", takes_context=True)
def disk_notice(context: Context) -> Context:
    """A warning where the disk runs full, on every page."""
    return {"notice": disk.notice(), "user": context.get("user")}
