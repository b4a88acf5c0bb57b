"""Wait for a preflight: a command in its own thread, a request without a thread.

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
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.models import Preflight
from presets.preflight.requests import Checker, is_awaited, request
from web.errors import NotReady

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
READY_PAUSE = 1.0
READING_SECONDS = 300.0  # in which an engine must have told its settings, before a client is sent away


class Awaited(Exception):
    """A worker is checking the config: call again with its preflight once that has ended."""

    def __init__(self, preflight: Preflight) -> None:
        super().__init__(self.__doc__)
        self.preflight = preflight


def check_and_wait(user: User | None, config: JsonObject, engine: str, resume_from: str = "") -> Preflight:
    """A Checker for commands and the admin, which can wait in their thread."""
    preflight = request(user, config, engine, resume_from)
    for pause in _pauses(preflight):
        time.sleep(pause)
        preflight.refresh_from_db()
    return preflight


async def answered(preflight: Preflight) -> Preflight:
    """Wait for a worker's answer for as long as a start does."""
    for pause in _pauses(preflight):
        await asyncio.sleep(pause)
        await preflight.arefresh_from_db()
    return preflight


def _pauses(preflight: Preflight) -> Iterator[float]:
    pause = FIRST_PAUSE
    while is_awaited(preflight):
        yield pause
        pause = min(LONGEST_PAUSE, pause * 1.5)


def checker_with(preflight: Preflight | None) -> Checker:
    """A Checker for web requests: takes this preflight's answer if it is of the same config, or raises Awaited."""

    def check(user: User | None, config: JsonObject, engine: str, resume_from: str = "") -> Preflight:
        if preflight is None or not is_of(preflight, engine, config, resume_from):
            raise Awaited(request(user, config, engine, resume_from))
        if is_awaited(preflight):
            raise Awaited(preflight)
        return preflight

    return check


def is_of(preflight: Preflight, engine: str, config: JsonObject, resume_from: str = "") -> bool:
    """True if that preflight checks this config, or compares it with this backup."""
    frozen = config if resume_from else configs.freeze(engine, config)
    asked = (engine, resume_from, json.loads(json.dumps(frozen)))  # as the database returns it
    return (preflight.engine, preflight.resume_from, preflight.config) == asked


def checker_of(request: HttpRequest | Request) -> Checker:
    """The Checker of a view that waits by `without_a_thread` or `AwaitsPreflight`."""
    return checker_with(getattr(request, "preflight", None))


def without_a_thread(view: Callable[..., HttpResponseBase]) -> Callable[..., Any]:
    """Call a page's view again with the preflight for which it raised Awaited."""

    @functools.wraps(view)
    async def waiting(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        def call_with(preflight: Preflight) -> HttpResponseBase:
            request.preflight = preflight  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        try:
            return await sync_to_async(view)(request, *args, **kwargs)
        except Awaited as awaited:
            return await asyncio.shield(_call_answered(call_with, awaited))

    return waiting


async def _call_answered(view: Callable[[Preflight], HttpResponseBase], awaited: Awaited) -> HttpResponseBase:
    """Call the view with each answer until it needs no other answer.

    Callers shield this: a start continues if the browser disconnects, as it does in a thread.
    """
    while True:
        try:
            return await sync_to_async(view)(await answered(awaited.preflight))
        except Awaited as other:
            awaited = other


class AwaitsPreflight(APIView):
    """An API view whose handlers may raise Awaited, and are called again with `preflight` on the request."""

    @classmethod
    def as_view(cls, *args: object, **kwargs: object) -> Any:
        return markcoroutinefunction(super().as_view(*args, **kwargs))

    async def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:  # type: ignore[override]
        self.give_up_at = time.monotonic() + READING_SECONDS
        try:
            return await sync_to_async(super().dispatch)(request, *args, **kwargs)
        except Awaited as awaited:
            return await asyncio.shield(_call_answered(self._handle_again, awaited))
        except NotReady:
            return await asyncio.shield(self._once_ready())

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Awaited) or (isinstance(exc, NotReady) and time.monotonic() < self.give_up_at):
            raise exc
        return super().handle_exception(exc)

    async def _once_ready(self) -> HttpResponseBase:
        """Try again until the engine's settings are read, as its first start takes minutes; then wait for the check."""
        while True:
            await asyncio.sleep(READY_PAUSE)
            try:
                return await sync_to_async(self._handle_again)()
            except Awaited as awaited:
                return await _call_answered(self._handle_again, awaited)
            except NotReady:
                continue

    def _handle_again(self, preflight: Preflight | None = None) -> HttpResponseBase:
        """As `dispatch` does, for a request that is authenticated, counted and read already."""
        self.request.preflight = preflight
        handler = getattr(self, str(self.request.method).lower())
        try:
            response = handler(self.request, *self.args, **self.kwargs)
        except Exception as error:  # noqa: BLE001  as Django REST framework does: each error becomes an answer
            response = self.handle_exception(error)
        return self.finalize_response(self.request, response, *self.args, **self.kwargs)
