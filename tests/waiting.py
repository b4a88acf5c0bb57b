"""Waits for a condition, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 60, what: str = "the condition") -> T:
    """Return `condition()` as soon as it is true; fail after `timeout` seconds, naming `what`."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout} s for {what} in vain.")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
