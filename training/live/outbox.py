"""What each WebSocket client still has to be told, and the groups of clients that are told the same."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)
STATES = {"training_state", "sample_default_progress", "sample_custom_progress"}  # only the newest of each matters
STATES_PER_SECOND = 20  # to each client
MOST_WAITING = 500  # news for one client; whoever lags further behind is told the whole state instead
ReadState = Callable[[str], Awaitable[str]]  # from a message's type to the message about the present state


def live_message(is_live: bool) -> str:
    """Whether all news arrive by themselves; while they do not, only the run's state is told every few seconds."""
    return json.dumps({"type": "live", "data": {"is_live": is_live}})


class Client:
    """One socket's outbox: the newest state of each kind, and all other news in their order."""

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
        """Forget what waits: `text` says it all."""
        self._forget()
        self._news.append(text)
        self._wake.set()

    def _forget(self) -> None:
        self._news.clear()
        self._states.clear()

    async def write(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send without end, the whole state first; to be cancelled when the socket closes."""
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
    """A group's clients. States go out at most so many times a second; everything else goes out at once."""

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
        """Nobody listens any more."""
        if self._timer is not None:
            self._timer.cancel()

    async def poll(self) -> bool:
        """Tell all clients the state in the database, unless a message has told them; False where it is away."""
        text = await self._present("training_state")
        if text and text != self._newest:
            self.push("training_state", text)
        return bool(text)

    async def tell_anew(self) -> None:
        """Tell all clients the whole state, read once: messages may have been lost."""
        if text := await self._present("connected"):
            for client in self.clients:
                client.tell_anew(text)

    async def _present(self, kind: str) -> str:
        try:
            return await self._read_state(kind)
        except Exception:  # noqa: BLE001  the database may be away too, and other topics wait
            logger.exception("The state could not be read, so clients are told later.")
            return ""

    def _tell_states(self) -> None:
        states, self._states, self._timer = self._states, {}, None
        self._due = asyncio.get_running_loop().time() + len(states) / STATES_PER_SECOND
        for kind, text in states.items():
            self._tell(kind, text)

    def _tell(self, kind: str, text: str) -> None:
        for client in self.clients:
            client.tell(kind, text)
