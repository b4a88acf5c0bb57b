"""The limits of a request before Django sees it: around the ASGI application, under uvicorn and daphne alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from channels.security.websocket import WebsocketDenier
from django.db import close_old_connections
from django.utils.translation import gettext as _

from web.guard.answers import refusal
from web.guard.identity import is_known
from web.limits.bodies import most_bytes
from web.limits.ranges import is_range
from web.limits.table import in_words, limit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
DRAIN_SECONDS, DRAIN_BYTES = 2.0, 8_000_000  # of a refused body, so that its sender reads the answer


class Refused(Exception):
    """The request is beyond a limit."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def limited(application: Application) -> Application:
    """The application, which gets only requests within the limits."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body, sending = Body(scope, receive), Sending(send)
        try:
            refuse_head(scope)
            await body.refuse_declared()
            await application(scope, body.receive, sending)
        except Refused as why:
            if not sending.has_begun:
                await _refuse(scope, why, body, send)

    return answer


def limited_socket(application: Application) -> Application:
    """The same for WebSockets: a handshake beyond the limits is denied."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            refuse_head(scope)
        except Refused:
            await WebsocketDenier()(scope, receive, send)
        else:
            await application(scope, receive, send)

    return answer


def refuse_head(scope: Scope) -> None:
    """Raises Refused for an address or headers beyond the limits; also used for WebSockets."""
    headers = scope["headers"]
    if len(scope.get("raw_path") or scope["path"].encode()) > limit("PATH_BYTES"):
        raise Refused(414, _("The address is too long: use the links of the site."))
    if len(scope["query_string"]) > limit("QUERY_BYTES"):
        raise Refused(414, _("The part of the address after the question mark is too long: send less in it."))
    if len(headers) > limit("HEADERS"):
        sentence = _("The request has more than %(most)s headers: send fewer.")
        raise Refused(431, sentence % {"most": limit("HEADERS")})
    if sum(len(name) + len(value) for name, value in headers) > limit("HEADER_BYTES"):
        raise Refused(431, _("The headers are too large: delete this site's cookies, then sign in again."))
    if any(name == b"range" and not is_range(value.decode("latin1")) for name, value in headers):
        raise Refused(416, _("The header Range is not a range of bytes: send one such as bytes=0-99, or none."))


class Body:
    """Counts a body while it is read, whatever length its sender declared."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        self._read = 0
        self._most: int | None = None
        self._is_known = False
        self.is_complete = False

    async def refuse_declared(self) -> None:
        """Raises Refused for a declared length that is too large, before a byte of the body is read."""
        declared = [value for name, value in self._scope["headers"] if name == b"content-length"]
        if any(not value.strip().isdigit() or len(value) > 18 for value in declared):
            raise Refused(400, _("The header Content-Length is not a number: send the length of the body in bytes."))
        await self._refuse_beyond(max(map(int, declared), default=0))

    async def receive(self) -> Message:
        """The next message of the server; raises Refused."""
        if self.is_complete:
            return await self._receive()  # it waits for the client to hang up
        try:
            async with asyncio.timeout(limit("BODY_SECONDS")):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, _("The body of the request did not arrive: send it again.")) from None
        self._read += len(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
        await self._refuse_beyond(self._read)
        return message

    async def drain(self) -> None:
        """Read on for a moment, and drop it: a sender that is cut off while it sends does not read the answer."""
        dropped = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.is_complete and dropped < DRAIN_BYTES:
                    message = await self._receive()
                    dropped += len(message.get("body", b""))
                    self.is_complete = not message.get("more_body", False)
        except TimeoutError:
            return

    async def _refuse_beyond(self, size: int) -> None:
        if size <= limit("UNKNOWN_BODY_BYTES") and size <= self._largest:
            return
        if size > self._largest:
            sentence = _("The request is larger than %(most)s: send less at once.")
            raise Refused(413, sentence % {"most": in_words(self._largest)})
        self._is_known = self._is_known or await sync_to_async(_asked)(self._scope)
        if not self._is_known:
            sentence = _("The request is larger than %(most)s, the most without a sign-in: sign in first.")
            raise Refused(413, sentence % {"most": in_words(limit("UNKNOWN_BODY_BYTES"))})

    @property
    def _largest(self) -> int:
        """Looked up only for a request with a body."""
        if self._most is None:
            self._most = most_bytes(self._scope["method"], self._scope["path"]) if self._has_body else 0
        return self._most

    @property
    def _has_body(self) -> bool:
        return self._read > 0 or any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0"))
            for name, value in self._scope["headers"]
        )


class Sending:
    """Notices whether the application has begun to answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)


def _asked(scope: Scope) -> bool:
    close_old_connections()
    return is_known(scope)


async def _refuse(scope: Scope, why: Refused, body: Body, send: Send) -> None:
    kind, content = refusal(scope["path"], why.status, why.sentence)
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": why.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await body.drain()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
