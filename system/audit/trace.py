"""The request that is being answered, for entries that are recorded somewhere below its view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest


@dataclass
class Trace:
    """A request or a person for whom a process acts, and how many entries were recorded."""

    request: HttpRequest | None = None
    actor: AbstractBaseUser | None = None
    count: int = 0


_trace: ContextVar[Trace | None] = ContextVar("audited request", default=None)


def begin(request: HttpRequest) -> Trace:
    """Remember the request in this context; threads that the event loop starts for it see it too."""
    trace = Trace(request)
    _trace.set(trace)
    return trace


def end() -> None:
    _trace.set(None)


@contextmanager
def acting_for(user: AbstractBaseUser | None) -> Iterator[None]:
    """The block does what this person requested earlier, as a worker does with a job."""
    token = _trace.set(Trace(actor=user))
    try:
        yield
    finally:
        _trace.reset(token)


def current() -> Trace:
    """The trace of this context; an empty one outside of requests."""
    return _trace.get() or Trace()
