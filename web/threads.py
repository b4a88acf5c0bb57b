"""Threads that check something repeatedly for as long as their process lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connection

from web.database import is_passing

logger = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Calls `look()` every `pause` seconds, and at once after `notice()`, until `end()`; then `close()`.

    No error ends the thread, since nobody would start it again.
    """

    def __init__(self, name: str, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self.pause = pause  # seconds between two looks
        self._ending = threading.Event()
        self._noticed = threading.Event()
        self._trouble = ""

    def run(self) -> None:
        while not self._ending.is_set():
            self._noticed.clear()
            if not self._look() and not self._ending.is_set():
                self._noticed.wait(self.pause)
        self._look(self.close)
        connection.close()

    def end(self) -> None:
        self._ending.set()
        self._noticed.set()

    def notice(self) -> None:
        """Look again at once; called by other threads."""
        self._noticed.set()

    def close(self) -> None:
        """Release the work in progress to others, in the thread itself."""

    def look(self) -> bool | None:
        """Do the pending work; True if more may be pending at once."""
        raise NotImplementedError

    def _look(self, look: Callable[[], bool | None] | None = None) -> bool | None:
        try:
            close_old_connections()
            more = (look or self.look)()
        except Exception as error:  # noqa: BLE001  the error is logged, and the thread continues
            self.tell(error)
            connection.close()
            return False
        self._trouble = ""
        return more

    def tell(self, error: Exception) -> None:
        """Log a problem once for as long as it stays the same, since the next look follows in a moment."""
        trouble = f"{type(error).__name__}: {error}"
        if trouble != self._trouble and is_passing(error):
            logger.warning("The database is away, so %s wait. %s", self.name, error)
        elif trouble != self._trouble:
            logger.error("Unexpected error in %s, which continue; please report it.", self.name, exc_info=error)
        self._trouble = trouble
