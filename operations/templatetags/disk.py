"""The warning of a full disk, for templates."""

from __future__ import annotations

from typing import Any

from django import template

from operations import disk_notice as disk

register = template.Library()


@register.inclusion_tag("operations/_disk_notice.html", takes_context=True)
def disk_notice(context: dict[str, Any]) -> dict[str, Any]:
    """A warning where the disk runs full, on every page."""
    return {"notice": disk.notice(), "user": context.get("user")}
