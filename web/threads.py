"""Threads that look after something for as long as their process lives."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections, connection

from web.database import is_passing

logger = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Calls `look()` again and again until `end()`. No error ends it, since nobody would start it again."""

    def __init__(self, name: str, pause: float):
        super().__init__(name=name, daemon=True)
        self.pause = pause  # seconds between two looks
        self._ending = threading.Event()
        self._trouble = ""

    def run(self) -> None:
        while not self._ending.is_set():
            if not self._look():
                self._ending.wait(self.pause)
        connection.close()

    def end(self) -> None:
        self._ending.set()

    def look(self) -> bool | None:
        """Do what is to be done; True where there may be more of it at once."""
        raise NotImplementedError

    def _look(self) -> bool | None:
        try:
            close_old_connections()
            more = self.look()
        except Exception as error:  # noqa: BLE001  it is told, and the thread goes on
            self.tell(error)
            connection.close()
            return False
        self._trouble = ""
        return more

    def tell(self, error: Exception) -> None:
        """Say what is wrong, once for as long as it stays the same: the next look is a moment away."""
        trouble = f"{type(error).__name__}: {error}"
        if trouble != self._trouble and is_passing(error):
            logger.warning("The database is away, so %s wait. %s", self.name, error)
        elif trouble != self._trouble:
            logger.error("This was not expected of %s, which go on; please report it.", self.name, exc_info=error)
        self._trouble = trouble
