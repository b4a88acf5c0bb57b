"""The data folder belongs to one `serve` at a time."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from django.conf import settings


@functools.cache
def folder_identity() -> str:
    """The folder's id, which is the same from every host and container."""
    path = settings.DATA_DIR / "identity"
    with suppress(FileExistsError):
        beside = path.with_name(f"identity.{os.getpid()}.{uuid.uuid4().hex}")
        beside.write_text(uuid.uuid4().hex)
        try:
            os.link(beside, path)  # if two processes create an id at the same time, both use the same one
        finally:
            beside.unlink()
    return path.read_text().strip()


class FolderTaken(Exception):
    """Another serve runs on this data folder: stop it, or choose another folder with --data-dir."""


class FolderLock:
    """A lock that this process holds until it ends, in any way; its file names the process and its address."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "serve.lock"

    def __enter__(self) -> FolderLock:
        self._file = self.path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise FolderTaken(self._who_has_it()) from None
        self.write()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.truncate(0)
        self._file.close()

    def write(self, address: str = "") -> None:
        """Write the process, and the site's address once it is known, into the file."""
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), "address": address}))
        self._file.flush()

    def _who_has_it(self) -> str:
        holder = read_lock(self.path)
        where = f" at {holder['address']}" if holder.get("address") else ""
        return (
            f"{self.path.parent} is served already{where} by process {holder.get('pid', 'unknown')}: "
            "stop it first, or choose another folder with --data-dir."
        )


def is_served(folder: Path) -> bool:
    """Whether a living serve (this process or another) holds the folder."""
    try:
        with (folder / "serve.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # nobody can hold a lock that cannot be opened
    return False


def read_lock(path: Path) -> dict:
    """The text that the holder wrote; empty while it is being written, or if nobody holds the folder."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
