"""The wizard's word on the editor's page."""

from __future__ import annotations

from typing import Any

from django import template

from presets.models import Preflight
from training.wizard.views import NOTE

register = template.Library()


@register.inclusion_tag("training/wizard/_note.html", takes_context=True)
def wizard_note(context: dict[str, Any]) -> dict[str, Any]:
    """Why the draft is as it is, and what the check found; nothing once that was read."""
    request = context["request"]
    note = request.session.get(NOTE)
    kept = note and Preflight.objects.filter(pk=note.get("preflight"), user=request.user).exists()
    return {"note": note, "preflight": note["preflight"] if kept else None, "csrf_token": context.get("csrf_token")}
