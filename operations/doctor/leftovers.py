"""What a site that was killed leaves behind in its data folder, and which nobody uses any more."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings

from operations.doctor.finding import Asked, Finding, fine, look_at, note
from operations.serve.embedded_redis import PROGRAM, SOCKET
from system.data_folder import is_served, read_lock
from web.environment import socket_path


def look(asked: Asked) -> Iterator[Finding]:
    folder = settings.DATA_DIR
    served = is_served(folder)
    yield fine(f"The site is {'' if served else 'not '}served from {folder} just now.")
    if not served:
        yield from _lock(folder / "serve.lock")
        yield from _socket(folder / SOCKET)
        yield from _redis(folder)


def _lock(path: Path) -> Iterator[Finding]:
    """The kernel gave the lock back when its holder was killed; only what it wrote is left."""
    if holder := read_lock(path).get("pid"):
        yield note(f"serve.lock still names process {holder}, which was killed.", mend=lambda: _empty(path))


def _empty(path: Path) -> str:
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where a site was started meanwhile
        file.truncate(0)
    return "It was emptied."


def _socket(path: Path) -> Iterator[Finding]:
    if path.is_socket() and not _listens(path):
        yield note(f"{SOCKET} is left of a Redis that is gone.", mend=lambda: _remove(path))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(3)
        try:
            client.connect(str(socket_path(path)))
        except OSError:
            return False
    return True


def _remove(path: Path) -> str:
    if is_served(path.parent) or _listens(path):
        return "It was left alone, as it is in use again."
    path.unlink()
    return "It was removed."


def _redis(folder: Path) -> Iterator[Finding]:
    """It dies with its `serve`, by the kernel's hand; one that was started by hand does not."""
    for process in psutil.process_iter(["name", "pid"]):
        try:
            mine = PROGRAM in (process.info["name"] or "") and Path(process.cwd()) == folder.resolve()
        except (psutil.Error, OSError):
            continue  # it has ended, or is another user's
        if mine:
            sentence = f"An embedded Redis (process {process.pid}) runs here without a site."
            yield look_at(sentence, f"end it: kill {process.pid}")
