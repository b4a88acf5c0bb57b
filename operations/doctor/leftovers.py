"""Files that a killed site leaves in its data folder and that no process uses."""

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
    yield fine(f"The site is {'' if served else 'not '}served from {folder} now.")
    if not served:
        yield from _lock(folder / "serve.lock")
        yield from _socket(folder / SOCKET)
        yield from _redis(folder)


def _lock(path: Path) -> Iterator[Finding]:
    """The kernel released the lock when its holder was killed; only its text is left."""
    if holder := read_lock(path).get("pid"):
        yield note(f"serve.lock still names process {holder}, which was killed.", mend=lambda: _empty(path))


def _empty(path: Path) -> str:
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if a site was started since
        file.truncate(0)
    return "It was emptied."


def _socket(path: Path) -> Iterator[Finding]:
    if path.is_socket() and not _listens(path):
        yield note(f"{SOCKET} is left of an ended Redis.", mend=lambda: _remove(path))


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
        return "It was left alone, because it is in use again."
    path.unlink()
    return "It was removed."


def _redis(folder: Path) -> Iterator[Finding]:
    """The kernel kills an embedded Redis together with its `serve`; a Redis that was started by hand stays."""
    for process in psutil.process_iter(["name", "pid"]):
        try:
            mine = PROGRAM in (process.info["name"] or "") and Path(process.cwd()) == folder.resolve()
        except (psutil.Error, OSError):
            continue  # it has ended, or is another user's
        if mine:
            sentence = f"An embedded Redis (process {process.pid}) runs here without a site."
            yield look_at(sentence, f"end it: kill {process.pid}")
