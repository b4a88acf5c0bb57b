"""Notes in Markdown, as safe HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

register = template.Library()
# HTML in a note is shown as text, and no picture is fetched from elsewhere.
WRITER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")


def _outward(writer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
    tokens[at].attrSet("rel", "nofollow noopener")
    return writer.renderToken(tokens, at, options, env)


def _below(writer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
    """Notes are below a heading of the page, which has a first-level heading already."""
    tokens[at].tag = f"h{min(6, int(tokens[at].tag[1]) + 2)}"
    return writer.renderToken(tokens, at, options, env)


WRITER.add_render_rule("link_open", _outward)
for rule in ("heading_open", "heading_close"):
    WRITER.add_render_rule(rule, _below)


@register.filter
def markdown(text: str) -> SafeString:
    """The text as HTML; links that would run a script are not links."""
    html: str = WRITER.render(text)
    return mark_safe(html)
