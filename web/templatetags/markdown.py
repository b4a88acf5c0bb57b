"""Notes in Markdown, as safe HTML."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from web.limits.table import limit

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


class TookTooLong(Exception):
    """The text cannot be rendered in the time for it."""


deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def _look_at_the_clock(*arguments: Any) -> bool:
    """A rule that never matches, tried first at each line and at each place within a line.

    It is the thread's own time: other work of the machine does not make a harmless note too slow.
    """
    if time.thread_time() > deadline.get():
        raise TookTooLong
    return False


INTERRUPTS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
WRITER.block.ruler.before("table", "clock", _look_at_the_clock, INTERRUPTS)
WRITER.inline.ruler.before("text", "clock", _look_at_the_clock)


@register.filter
def markdown(text: str) -> SafeString:
    """The text as HTML; links that would run a script are not links.

    A text that is too long, or takes too long because it was written to, is shown as it is.
    """
    if len(text) > limit("MARKDOWN_CHARACTERS"):
        return _as_it_is(text)
    before = deadline.set(time.thread_time() + limit("MARKDOWN_MS") / 1000)
    try:
        html: str = WRITER.render(text)
    except (TookTooLong, RecursionError):
        return _as_it_is(text)
    finally:
        deadline.reset(before)
    return mark_safe(html)  # nosec B308 B703 # the renderer writes HTML in the text as text


def _as_it_is(text: str) -> SafeString:
    return format_html('<div class="as-it-is">{}</div>', text)
