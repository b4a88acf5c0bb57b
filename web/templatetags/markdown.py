"""Notes in Markdown, as safe HTML."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()
# What somebody writes as HTML is shown as text, and no picture is fetched from elsewhere.
WRITER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
WRITER.add_render_rule("link_open", lambda self, tokens, at, options, env: _outward(self, tokens, at, options, env))
for rule in ("heading_open", "heading_close"):
    WRITER.add_render_rule(rule, lambda self, tokens, at, options, env: _below(self, tokens, at, options, env))


def _outward(self, tokens, at, options, env):  # type: ignore[no-untyped-def]  # the library's own shape
    tokens[at].attrSet("rel", "nofollow noopener")
    return self.renderToken(tokens, at, options, env)


def _below(self, tokens, at, options, env):  # type: ignore[no-untyped-def]  # the library's own shape
    """Notes stand below a heading of the page, which has one of the first level already."""
    tokens[at].tag = f"h{min(6, int(tokens[at].tag[1]) + 2)}"
    return self.renderToken(tokens, at, options, env)


@register.filter
def markdown(text: str) -> SafeString:
    """The text as HTML; links that run a script are no links."""
    return mark_safe(WRITER.render(text))
