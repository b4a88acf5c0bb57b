"""A clock whose sleeps take no time."""

from worker.clock import Clock


class SleptClock(Clock):
    """The real clock, put forward by each sleep."""

    def __init__(self):
        self._slept = 0.0

    def monotonic(self):
        return super().monotonic() + self._slept

    def sleep(self, seconds):
        self._slept += seconds
