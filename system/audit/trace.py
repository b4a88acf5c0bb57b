"""The request that is being answered, for entries that are recorded somewhere below its view."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass
class Trace:
    """A request, and how many entries were recorded for it."""

    request: HttpRequest | None = None
    count: int = 0


_trace: ContextVar[Trace | None] = ContextVar("audited request", default=None)


def begin(request: HttpRequest) -> Trace:
    """Remember the request in this context; threads that the event loop starts for it see it too."""
    trace = Trace(request)
    _trace.set(trace)
    return trace


def end() -> None:
    _trace.set(None)


def current() -> Trace:
    """The trace of this context; an empty one outside of requests."""
    return _trace.get() or Trace()
