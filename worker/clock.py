"""The clock by which a worker and the supervisor measure pauses and time limits."""

from __future__ import annotations

import time


class Clock:
    """Seconds since some moment, and a sleep; a test passes a clock whose sleeps take no time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


CLOCK = Clock()
