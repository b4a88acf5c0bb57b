"""How many WebSockets one person may have open, and how many messages they may send; counted in each web process."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable

from web.limits.table import limit

SECONDS = 10.0  # within which SOCKET_MESSAGES may be sent
TOO_MANY = 4429  # the code by which a socket is closed


class Sockets:
    """The open sockets of each person, and when their last messages came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[int, int] = {}
        self._messages: defaultdict[int, deque[float]] = defaultdict(deque)

    def open(self, person: int) -> bool:
        """Count one more; False if the person has too many, and it must not be opened."""
        if self._open.get(person, 0) >= limit("SOCKETS"):
            return False
        self._open[person] = self._open.get(person, 0) + 1
        return True

    def close(self, person: int) -> None:
        """The opposite of an `open` that returned True."""
        self._open[person] -= 1
        if not self._open[person]:
            del self._open[person]
            self._messages.pop(person, None)

    def take_message(self, person: int) -> bool:
        """Count a message; False if the person sends too many."""
        now, recent = self._clock(), self._messages[person]
        while recent and recent[0] <= now - SECONDS:
            recent.popleft()
        recent.append(now)
        return len(recent) <= limit("SOCKET_MESSAGES")


SOCKETS = Sockets()  # of this process
