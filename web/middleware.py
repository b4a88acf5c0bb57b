"""Middleware of the site."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware

from web.exceptions import KEPT_HEADERS, SENTENCES


@sync_and_async_middleware
def json_errors(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """What fails under /api/ outside of any view, such as a wrong Host header, is told in JSON too."""
    if iscoroutinefunction(get_response):

        async def answer(request: Any) -> HttpResponseBase:
            return _in_json(request, await get_response(request))

        return answer
    return lambda request: _in_json(request, get_response(request))


def _in_json(request: Any, response: HttpResponseBase) -> HttpResponseBase:
    is_page = response.status_code >= 400 and "html" in response.headers.get("Content-Type", "")
    if not (is_page and request.path.startswith("/api/")):
        return response
    sentence = SENTENCES.get(response.status_code, SENTENCES[400])
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return JsonResponse({"detail": sentence}, status=response.status_code, headers=headers)
