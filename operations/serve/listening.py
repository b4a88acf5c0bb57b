"""The web server's socket: opened by the supervisor, so that it stays while the web server is started again."""

from __future__ import annotations

import errno
import socket

WILDCARDS = ("0.0.0.0", "::")
BACKLOG = 512
HIGHEST_PORT = 65535


class CannotListen(Exception):
    """The web server cannot listen there: choose another address with --host or --port."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen with the cure."""
    if not 0 <= port <= HIGHEST_PORT:
        raise CannotListen(f"There is no port {port}: choose one from 0 to {HIGHEST_PORT} with --port.")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(_sentence(host, port, error)) from error


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: stop what listens there, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the system: choose one from 1024 on with --port."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: choose another with --host."
    return f"Cannot listen on {host} port {port} ({error}): choose another with --host or --port."


def address_of(listener: socket.socket) -> str:
    """The site's address as a person on this machine opens it."""
    host, port = listener.getsockname()[:2]
    if host in WILDCARDS:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_wildcard(listener: socket.socket) -> bool:
    """Whether it listens on all of this machine's addresses."""
    return listener.getsockname()[0] in WILDCARDS
