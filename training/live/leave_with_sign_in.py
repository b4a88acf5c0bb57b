"""Closes WebSockets whose sign-in has ended: one check per web process for all its sockets, every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from system.account.credentials import Credential, ended, note_seen

logger = logging.getLogger(__name__)
CHECK_SECONDS = 5.0
SEEN_SECONDS = 60.0  # how often the list of sessions gets the time

SignOut = Callable[[], Awaitable[None]]


class SignedIn:
    """The open sockets of this process with their credentials; it checks them while there are any."""

    _all: WeakKeyDictionary[asyncio.AbstractEventLoop, SignedIn] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.check_seconds = CHECK_SECONDS
        self._sockets: dict[SignOut, Credential] = {}
        self._work: asyncio.Task[None] | None = None
        self._is_closing = False
        self._seen_at = 0.0

    @classmethod
    def of_this_process(cls) -> SignedIn:
        """The object of the running event loop; a web process has one loop."""
        return cls._all.setdefault(asyncio.get_running_loop(), cls())

    def add(self, credential: Credential, sign_out: SignOut) -> None:
        """Call `sign_out` once when the credential no longer holds."""
        self._sockets[sign_out] = credential
        if self._work is None:
            self._work = asyncio.create_task(self._check_again_and_again())

    def discard(self, sign_out: SignOut) -> None:
        """The socket was closed; the last one ends the checks."""
        self._sockets.pop(sign_out, None)
        if not self._sockets and self._work is not None and not self._is_closing:
            self._work.cancel()
            self._work = None

    async def _check_again_and_again(self) -> None:
        while self._sockets:
            await asyncio.sleep(self.check_seconds)
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001  the database may be away: the sockets stay, and are checked again
                logger.warning("The sign-ins of the WebSockets could not be checked: %s", error)
        self._work = None

    async def check(self) -> None:
        """Close the sockets whose credential has ended."""
        over = await database_sync_to_async(ended)(set(self._sockets.values()))
        leaving = [sign_out for sign_out, credential in self._sockets.items() if credential in over]
        for sign_out in leaving:
            self._sockets.pop(sign_out, None)
        await self._note_seen()
        self._is_closing = True  # the first to leave must not cancel this task, which closes the others
        try:
            closed = await asyncio.gather(*(sign_out() for sign_out in leaving), return_exceptions=True)
        finally:
            self._is_closing = False
        for error in closed:
            if isinstance(error, Exception):
                logger.info("A WebSocket was closed while its sign-in ended: %s", error)

    async def _note_seen(self) -> None:
        """Now and then, write that these sessions are in use."""
        moment = asyncio.get_running_loop().time()
        if moment - self._seen_at >= SEEN_SECONDS or not self._seen_at:
            self._seen_at = moment
            await database_sync_to_async(note_seen)(set(self._sockets.values()))
