"""The content security policy: browsers load only our own files, and run no scripts written into a page."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

COMMON = (
    "default-src 'self'",
    "img-src 'self' data: blob:",  # Tabler's arrows are data addresses
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
POLICY = "; ".join(COMMON)
WITH_STYLES = "; ".join((*COMMON, "style-src 'self' 'unsafe-inline'"))  # pages of Django and Swagger contain styles
OF_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # shown as they are
THEIR_PAGES = ("/admin/", "/api/")


@sync_and_async_middleware
def content_security_policy(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Send the policy, so that a script hidden in a prompt or a run's name is never run."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponseBase:
            return _with_policy(request, await get_response(request))

        return answer
    return lambda request: _with_policy(request, get_response(request))


def _with_policy(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", _policy(request.path, response))
    return response


def _policy(path: str, response: HttpResponseBase) -> str:
    if not path.startswith(THEIR_PAGES):
        return POLICY
    return WITH_STYLES if "html" in response.headers.get("Content-Type", "") else OF_DATA
