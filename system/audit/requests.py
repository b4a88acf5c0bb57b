"""A row for every request that changes something, also for a view that nobody thought of when it was written.

A view that records by itself gets no second row. Requests that are exempt are in one table, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from system.audit import trace
from system.audit.exempt import EXEMPT
from system.audit.log import record
from system.audit.thing import Thing

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


@sync_and_async_middleware
def audited(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Let entries below know the request, and record it if it changed something and nothing was recorded."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponseBase:
            begun = trace.begin(request)
            response: HttpResponseBase = await get_response(request)
            if _is_open(begun, request, response):
                await sync_to_async(_record, thread_sensitive=True)(request, response)
            return response

        return answer

    def answer_at_once(request: HttpRequest) -> HttpResponseBase:
        begun = trace.begin(request)
        try:
            response: HttpResponseBase = get_response(request)
            if _is_open(begun, request, response):
                _record(request, response)
        finally:
            trace.end()
        return response

    return answer_at_once


def route_of(request: HttpRequest) -> str:
    """The name of the address, such as `preset-delete` or `api:run-detail`; the path if it has none."""
    match = request.resolver_match
    return (match.view_name if match else "") or request.path


def _is_open(begun: trace.Trace, request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether this request needs a row: it changed something, or its sender may not do what it asked for."""
    if request.method in SAFE or begun.count or request.resolver_match is None:
        return False
    refused = response.status_code == 403
    return refused or (response.status_code < 400 and route_of(request) not in EXEMPT)


def _record(request: HttpRequest, response: HttpResponseBase) -> None:
    """Nobody who is not signed in changes anything, except by views that record it themselves."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return
    match = request.resolver_match
    key = next(
        (str(value) for name, value in (match.kwargs if match else {}).items() if name.endswith(("pk", "id"))), ""
    )
    verb = "refused" if response.status_code == 403 else (request.method or "").lower()
    facts = {"path": request.path, "method": request.method, "status": response.status_code}
    record(f"{route_of(request)}.{verb}", request=request, thing=Thing("address", key, request.path), after=facts)
