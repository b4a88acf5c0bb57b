"""The answers to requests beyond a limit, where no view and no middleware is reached: for scripts and for people."""

from __future__ import annotations

import json

from django.template.loader import render_to_string


def refusal(path: str, status: int, sentence: str) -> tuple[str, bytes]:
    """The content type and the body: JSON for the API, a page for all else."""
    if path.startswith("/api/"):
        return "application/json", json.dumps({"detail": sentence}).encode()
    page = render_to_string("over_limit.html", {"status": status, "sentence": sentence})
    return "text/html; charset=utf-8", page.encode()
