"""What the editor calls a setting, for templates."""

from __future__ import annotations

from django import template

from presets.editor.form import form_of

register = template.Library()


@register.filter
def setting_title(path: str) -> str:
    """What the editor calls a config's field; empty where it does not know it."""
    spec = form_of("builtin").spec_of(path)
    return spec.title if spec else ""
