"""Helpers for tests of a page's HTML."""

from __future__ import annotations

import re


def squeezed(page: str) -> str:
    """The page without white space that a browser does not show: at the edges of tags, and repeated spaces."""
    return re.sub(r" ?(<[^>]*>) ?", r"\1", re.sub(r"\s+", " ", page))
