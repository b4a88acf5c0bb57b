"""What tests ask of a page's HTML."""

from __future__ import annotations

import re


def squeezed(page: str) -> str:
    """The page without the white space that a browser does not show: at the edges of tags, and more than one within."""
    return re.sub(r" ?(<[^>]*>) ?", r"\1", re.sub(r"\s+", " ", page))
