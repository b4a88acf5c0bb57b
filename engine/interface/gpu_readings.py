"""Readings of the GPU that this process trains on: temperature, use, memory and power."""

from __future__ import annotations

import threading
from collections.abc import Callable

SECONDS = 5.0  # between two readings
ReadMetrics = Callable[[], "dict[str, float] | None"]


def no_metrics() -> None:
    """The reader of a process that has no GPU, or nothing to read it with."""


class GpuReadings:
    """A thread that reads the GPU again and again, and keeps its newest values; it ends where there is no GPU."""

    def __init__(self, read: ReadMetrics, seconds: float = SECONDS) -> None:
        self._read = read
        self._seconds = seconds
        self._newest: dict[str, float] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._go_on, name="gpu readings", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def take(self) -> dict[str, float]:
        """The values of a new reading by their metric's names; nothing until the next one."""
        newest, self._newest = self._newest, {}
        return newest

    def _go_on(self) -> None:
        while (values := self._read()) is not None:
            self._newest = values
            if self._stopped.wait(self._seconds):
                return
