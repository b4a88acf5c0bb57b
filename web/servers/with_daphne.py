"""`python -m web.servers.with_daphne ...`: daphne's own command, with the site's limits.

daphne gathers a whole body before it calls the site, so the body's size is limited here too: by the view, and for a
request without any credentials to almost nothing. Whether the credentials are valid is found out afterwards, by the
site (`web/guard/requests.py`).
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote

import daphne.server
from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory, WebRequest

TOO_LARGE = "The request is larger than {most}: send less at once."


class LimitedRequest(WebRequest):
    """Refuses a body as soon as it is, or says that it will be, too large."""

    _left: int | None = None
    _is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802  Twisted's name
        super().gotLength(length)
        self._left = self._most()
        if length is not None and length > self._left:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self._left = (self._left or 0) - len(data)
        if self._left < 0:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        if not self._is_refused:
            super().requestReceived(command, path, version)

    def _most(self) -> int:
        from web.limits.bodies import most_bytes
        from web.limits.table import limit

        # Twisted's channel has read the first line already, and hands it to the request only with the whole body.
        path = unquote(self.channel._path.partition(b"?")[0].decode("latin1"))
        self.refused_path = path
        most = most_bytes(self.channel._command.decode("latin1"), path)
        has_credentials = any(map(self.requestHeaders.hasHeader, (b"authorization", b"cookie")))
        return most if has_credentials else min(most, limit("UNKNOWN_BODY_BYTES"))

    def _refuse(self) -> None:
        if self._is_refused:
            return
        from web.guard.answers import refusal
        from web.limits.table import in_words

        self._is_refused = True
        kind, content = refusal(self.refused_path, 413, TOO_LARGE.format(most=in_words(self._most())))
        head = f"HTTP/1.1 413 Content Too Large\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n"
        self.channel.transport.write(f"{head}connection: close\r\n\r\n".encode() + content)
        self.channel.loseConnection()


class LimitedFactory(HTTPFactory):
    """Makes limited requests; a connection without a request is closed after HEADER_SECONDS."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        from web.limits.table import limit

        self.timeOut = limit("HEADER_SECONDS")

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol


class LimitedServer(daphne.server.Server):
    def __init__(self, *args: Any, **options: Any) -> None:
        from web.limits.table import limit

        most = limit("SOCKET_MESSAGE_BYTES")
        options |= {"websocket_max_message_size": most, "websocket_max_frame_size": most}
        super().__init__(*args, **options)


class Command(CommandLineInterface):
    server_class = LimitedServer


def prepare() -> None:
    """Load the settings, which have the limits, and let daphne use the classes of this module."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
    import django

    django.setup()
    daphne.server.HTTPFactory = LimitedFactory  # the server makes it by this name


def main() -> None:
    prepare()
    Command.entrypoint()


if __name__ == "__main__":
    main()
