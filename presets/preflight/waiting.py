"""Waiting for a preflight: a command in its own thread, a request without one.

A view that needs a check asks for it and raises Awaited. The event loop waits for the answer, and calls the view again
with it, so that many requests can wait at once while threads serve others.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.config import configs
from presets.models import Preflight
from presets.preflight.requests import Checker, is_awaited, request

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5


class Awaited(Exception):
    """A worker is checking the config: call again with its preflight once that has ended."""

    def __init__(self, preflight: Preflight):
        super().__init__(self.__doc__)
        self.preflight = preflight


def check_and_wait(user: Any, config: dict[str, Any], engine: str) -> Preflight:
    """A Checker for commands and the admin, which have a thread to wait in."""
    asked = request(user, config, engine)
    for pause in _pauses(asked):
        time.sleep(pause)
        asked.refresh_from_db()
    return asked


async def answered(asked: Preflight) -> Preflight:
    """Wait for a worker's answer for as long as a start does."""
    for pause in _pauses(asked):
        await asyncio.sleep(pause)
        await asked.arefresh_from_db()
    return asked


def _pauses(asked: Preflight) -> Iterator[float]:
    pause = FIRST_PAUSE
    while is_awaited(asked):
        yield pause
        pause = min(LONGEST_PAUSE, pause * 1.5)


def checker_with(asked: Preflight | None) -> Checker:
    """A Checker for web requests: takes this preflight's answer if it is of the same config, or raises Awaited."""

    def check(user: Any, config: dict[str, Any], engine: str) -> Preflight:
        if asked is None or not is_of(asked, engine, config):
            raise Awaited(request(user, config, engine))
        if is_awaited(asked):
            raise Awaited(asked)
        return asked

    return check


def is_of(asked: Preflight, engine: str, config: dict[str, Any]) -> bool:
    """True if that preflight checks this config."""
    frozen = json.loads(json.dumps(configs.freeze(engine, config)))  # as it comes out of the database
    return (asked.engine, asked.config) == (engine, frozen)


def checker_of(request: HttpRequest | Request) -> Checker:
    """The Checker of a view that waits by `without_a_thread` or `AwaitsPreflight`."""
    return checker_with(getattr(request, "preflight", None))


def without_a_thread(view: Callable[..., HttpResponseBase]) -> Callable[..., Any]:
    """Have a page's view called again with the preflight that it raises Awaited for."""

    @functools.wraps(view)
    async def waiting(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def call_with(preflight: Preflight) -> HttpResponseBase:
            request.preflight = preflight  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        try:
            return await sync_to_async(view)(request, *args, **kwargs)
        except Awaited as awaited:
            return await asyncio.shield(_call_answered(call_with, awaited))

    return waiting


async def _call_answered(view: Callable[[Preflight], HttpResponseBase], awaited: Awaited) -> HttpResponseBase:
    """Call the view with each answer until it needs no further one.

    Callers shield this: what a user has started goes on where the browser hangs up, as it does in a thread.
    """
    while True:
        try:
            return await sync_to_async(view)(await answered(awaited.preflight))
        except Awaited as other:
            awaited = other


class AwaitsPreflight(APIView):
    """An API view whose handlers may raise Awaited, and are called again with `preflight` on the request."""

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        return markcoroutinefunction(super().as_view(*args, **kwargs))

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        try:
            return await sync_to_async(super().dispatch)(request, *args, **kwargs)
        except Awaited as awaited:
            return await asyncio.shield(_call_answered(self._handle_again, awaited))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Awaited):
            raise exc
        return super().handle_exception(exc)

    def _handle_again(self, preflight: Preflight) -> HttpResponseBase:
        """As `dispatch` does, for a request that is authenticated, counted and read already."""
        self.request.preflight = preflight
        handler = getattr(self, str(self.request.method).lower())
        try:
            response = handler(self.request, *self.args, **self.kwargs)
        except Exception as error:  # noqa: BLE001  as Django REST framework does: each error becomes an answer
            response = self.handle_exception(error)
        return self.finalize_response(self.request, response, *self.args, **self.kwargs)
