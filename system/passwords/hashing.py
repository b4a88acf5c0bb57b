"""Password hashing that takes turns: many sign-ins at once must leave processors for everything else.

A hash takes a third of a second of one processor. Each web process computes one or two at a time; the others wait, and
after a while get an error that asks them to try again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from web.errors import DomainError

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
WAIT_SECONDS = 20.0
WAITING = 100  # sign-ins of one process that may wait; each holds a thread

_turns = threading.BoundedSemaphore(AT_ONCE)
_places = threading.BoundedSemaphore(AT_ONCE + WAITING)


class TooManySignIns(DomainError):
    """Many people sign in at this moment: try again in a few seconds."""

    status = 503


class TakesTurns(PBKDF2PasswordHasher):
    """Django's default hash, a few at a time."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with turn():
            return super().encode(password, salt, iterations)


@contextmanager
def turn(seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Wait for a turn; raises TooManySignIns."""
    if not _places.acquire(blocking=False):
        raise TooManySignIns
    try:
        if not _turns.acquire(timeout=seconds):
            raise TooManySignIns
        try:
            yield
        finally:
            _turns.release()
    finally:
        _places.release()
