"""Pages in the reader's own time zone, which the browser sends in a cookie."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

COOKIE = "timezone"


@sync_and_async_middleware
def in_the_readers_zone(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Show times in the reader's time zone, or in the site's TIME_ZONE until the browser has sent its own."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponseBase:
            with _zone_of(request):
                response: HttpResponseBase = await get_response(request)
                return response

        return answer

    def answer_at_once(request: HttpRequest) -> HttpResponseBase:
        with _zone_of(request):
            response: HttpResponseBase = get_response(request)
            return response

    return answer_at_once


@contextmanager
def _zone_of(request: HttpRequest) -> Iterator[None]:
    zone = _zone(request.COOKIES.get(COOKIE, ""))
    if zone is None or request.path.startswith("/api/"):  # scripts get the site's time zone
        yield
        return
    with timezone.override(zone):
        yield


@lru_cache(maxsize=200)
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of this name; None if there is no such zone, since a cookie may contain any text."""
    try:
        return zoneinfo.ZoneInfo(unquote(name)) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
