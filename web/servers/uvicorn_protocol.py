"""uvicorn's protocol with limits on headers; its parser has none, so endless headers would fill the memory."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.limits.table import limit

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
    b"content-length: 32\r\nconnection: close\r\n\r\nThe headers are too large: stop."
)


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are too large, too many, or take too long."""

    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0  # received since the last complete headers
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser piece by piece while it reads headers: one piece may hold the end of them and a body."""
        if self._in_headers:
            self._bytes += len(data)
            if self._bytes > 2 * limit("HEADER_BYTES") + limit("PATH_BYTES") and self._has_no_end(data):
                self._refuse()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_headers = True
        if self._waiting is None:
            self._wait_for_headers()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) <= limit("HEADERS"):  # with one more, the site refuses the request
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers, self._bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers = True
        super().on_message_complete()

    def _has_no_end(self, data: bytes) -> bool:
        """True unless the headers may end in this piece; the site then counts them."""
        return b"\r\n\r\n" not in data

    def _wait_for_headers(self) -> None:
        self._waiting = self.loop.call_later(limit("HEADER_SECONDS"), self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _refuse(self) -> None:
        self._stop_waiting()
        self.transport.write(TOO_LARGE)
        self.transport.close()
