"""Progress on the terminal, every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 2.0


class Progress:
    def __init__(self, write: Callable[[str], object] = lambda line: None) -> None:
        self._write = write
        self._said = time.monotonic()

    def rows(self, model: str, count: int) -> None:
        self._say(f"rows of {model}: {count:,}")

    def bytes(self, done: int, total: int) -> None:
        self._say(f"files: {done / 1e9:.2f} of {max(done, total) / 1e9:.2f} GB")

    def _say(self, line: str) -> None:
        if time.monotonic() - self._said >= SECONDS:
            self._said = time.monotonic()
            self._write(line)
