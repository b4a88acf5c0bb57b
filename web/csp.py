"""The content security policy: browsers load only our own files, and run no scripts written into a page."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",  # Tabler's arrows are data addresses
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
OTHERS = ("/admin/", "/api/")  # pages of Django and Swagger, which contain scripts and styles


@sync_and_async_middleware
def content_security_policy(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Send the policy, so that a script hidden in a prompt or a run's name is never run."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponseBase:
            return _with_policy(request, await get_response(request))

        return answer
    return lambda request: _with_policy(request, get_response(request))


def _with_policy(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not request.path.startswith(OTHERS):
        response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
