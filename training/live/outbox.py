"""The pending messages of each WebSocket client, and the groups of clients that get the same messages."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)
STATES = {
    "training_state",
    "sample_default_progress",
    "sample_custom_progress",
}  # only the newest message of each type matters
STATES_PER_SECOND = 20  # to each client
MOST_WAITING = 500  # pending messages of one client; a slower client gets the whole state instead
ReadState = Callable[[str], Awaitable[str]]  # message type -> the message about the current state


def live_message(is_live: bool) -> str:
    """True if all news are pushed; otherwise only the run's state is sent every few seconds."""
    return json.dumps({"type": "live", "data": {"is_live": is_live}})


class Client:
    """The outbox of one socket: the newest state of each type, and all other messages in their order."""

    def __init__(self, read_state: ReadState) -> None:
        self._read_state = read_state
        self._states: dict[str, str] = {}
        self._news: deque[str] = deque()
        self._wake = asyncio.Event()
        self._is_behind = False

    def tell(self, kind: str, text: str) -> None:
        """Return at once; `write` sends it as soon as the socket takes it."""
        if kind in STATES:
            self._states[kind] = text
        elif len(self._news) < MOST_WAITING:
            self._news.append(text)
        else:
            self._forget()
            self._is_behind = True
        self._wake.set()

    def tell_anew(self, text: str) -> None:
        """Replace all pending messages by `text`, the whole state."""
        self._forget()
        self._news.append(text)
        self._wake.set()

    def _forget(self) -> None:
        self._news.clear()
        self._states.clear()

    async def write(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send until cancelled when the socket closes, the whole state first."""
        self._is_behind = True
        while True:
            if self._is_behind:
                self._is_behind = False
                await send(await self._read_state("connected"))
            elif self._news:
                await send(self._news.popleft())
            elif self._states:
                await send(self._states.pop(next(iter(self._states))))
            else:
                self._wake.clear()
                await self._wake.wait()


class Topic:
    """The clients of a group. States are sent at a limited rate; all other messages are sent at once."""

    def __init__(self, read_state: ReadState) -> None:
        self.clients: set[Client] = set()
        self._read_state = read_state
        self._states: dict[str, str] = {}
        self._newest = ""
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def push(self, kind: str, text: str) -> None:
        if kind not in STATES:
            self._tell(kind, text)
            return
        self._states[kind] = text
        if kind == "training_state":
            self._newest = text
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._due, loop.time()), self._tell_states)

    def close(self) -> None:
        """The last client has left."""
        if self._timer is not None:
            self._timer.cancel()

    async def poll(self) -> bool:
        """Send all clients the state in the database, unless they have it; False if the database is unreachable."""
        text = await self._present("training_state")
        if text and text != self._newest:
            self.push("training_state", text)
        return bool(text)

    async def tell_anew(self) -> None:
        """Send all clients the whole state, read once, since messages may have been lost."""
        if text := await self._present("connected"):
            for client in self.clients:
                client.tell_anew(text)

    async def _present(self, kind: str) -> str:
        try:
            return await self._read_state(kind)
        except Exception:  # noqa: BLE001  the database may be unreachable too, and other topics wait
            logger.exception("The state could not be read, so clients get it later.")
            return ""

    def _tell_states(self) -> None:
        states, self._states, self._timer = self._states, {}, None
        self._due = asyncio.get_running_loop().time() + len(states) / STATES_PER_SECOND
        for kind, text in states.items():
            self._tell(kind, text)

    def _tell(self, kind: str, text: str) -> None:
        for client in self.clients:
            client.tell(kind, text)
