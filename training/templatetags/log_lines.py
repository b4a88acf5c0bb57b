"""A log as a page shows it."""

from __future__ import annotations

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from training.logs.search import LEVELS

register = template.Library()
WORDS = {level: [mark.decode() for mark in marks] for level, marks in LEVELS.items()}


@register.filter
def by_level(text: str) -> SafeString:
    """The log's lines, with warnings and errors marked; `log.js` does the same with later lines."""
    return format_html_join("", "{}{}{}", (_marked(line) for line in text.splitlines(keepends=True)))


def _marked(line: str) -> tuple[SafeString | str, str, SafeString | str]:
    level = next((level for level in ("error", "warning") if any(word in line for word in WORDS[level])), None)
    if level is None:
        return "", line, ""
    return SafeString(f'<span class="log-{level}">'), line, SafeString("</span>")  # nosec B703 # a level of ours
