"""A proxy between a worker and its database, which tests can cut off."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

PIECE = 65536


class Proxy:
    """Listens on a TCP port and forwards all data to a Unix socket while it is `open`."""

    def __init__(self, target: Path):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._refusing = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def cut(self) -> bool:
        """Drop every connection at once, even within a message; return True if there was a connection."""
        cut = list(self._sockets)
        for one in cut:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        return bool(cut)

    def refuse(self) -> bool:
        """Drop every connection, and refuse new connections."""
        self._refusing = True
        return self.cut() or True

    def hang(self) -> bool:
        """Forward nothing and answer nothing, like a network that loses packets."""
        self._flowing.clear()
        return True

    def mend(self) -> None:
        self._refusing = False
        self._flowing.set()

    def close(self) -> None:
        self.mend()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.socket(socket.AF_UNIX)
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                server.connect(str(self._target))
            except OSError:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                self._sockets.add(source)
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._flowing.wait()
                target.sendall(piece)
        self._sockets.discard(source)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()
