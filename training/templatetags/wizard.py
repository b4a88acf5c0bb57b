"""The wizard's note on the editor's page."""

from __future__ import annotations

from django import template

from presets.models import Preflight
from training.wizard.views import NOTE
from web.pages import Context

register = template.Library()


@register.inclusion_tag("training/wizard/_note.html", takes_context=True)
def wizard_note(context: Context) -> Context:
    """The reasons for the draft's settings, and the result of the check; nothing after it was dismissed."""
    request = context["request"]
    note = request.session.get(NOTE)
    kept = note and Preflight.objects.filter(pk=note.get("preflight"), user=request.user).exists()
    return {"note": note, "preflight": note["preflight"] if kept else None, "csrf_token": context.get("csrf_token")}
