"""The web server's socket: opened by the supervisor, so that it stays open while the web server restarts."""

from __future__ import annotations

import errno
import socket

WILDCARDS = ("0.0.0.0", "::")  # nosec B104 # to recognise them; the default is 127.0.0.1
BACKLOG = 512
HIGHEST_PORT = 65535


class CannotListen(Exception):
    """The web server cannot listen there: choose another address with --host or --port."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 chooses a free one. Raises CannotListen, which says what to do."""
    if not 0 <= port <= HIGHEST_PORT:
        raise CannotListen(f"There is no port {port}: choose one from 0 to {HIGHEST_PORT} with --port.")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(_sentence(host, port, error)) from error
    # Connections inherit it. The web servers, which get the socket by its number, would not set it, and a small answer
    # on a kept connection would then wait up to 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use: stop the program that listens there, or choose another port with --port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the system: choose a port from 1024 with --port."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host."
    return f"Cannot listen on {host} port {port} ({error}): choose another with --host or --port."


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """The site's address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in WILDCARDS:
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_wildcard(listener: socket.socket) -> bool:
    """Whether it listens on all of this machine's addresses."""
    return listener.getsockname()[0] in WILDCARDS
