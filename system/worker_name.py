"""A worker's name belongs to one living process at a time."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

from django.conf import settings

PATIENCE = 0.5  # seconds; another worker may hold the lock for a moment to check whether this worker lives


class NameTaken(Exception):
    """Another worker of this name runs already: end it first, or give this worker another --name."""


class NameLock:
    """A lock that this process holds until it ends, so that a worker without a database is not taken for dead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises NameTaken."""
        deadline = time.monotonic() + PATIENCE
        while not self._locked():
            if time.monotonic() > deadline:
                raise NameTaken(
                    f"A worker named {self.name} runs already: end it first, or give this worker another --name."
                )
            time.sleep(0.05)

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def is_held(self) -> bool:
        """Whether a living worker (this process or another) has the name."""
        other = NameLock(self.name)
        free = other._locked()
        other.release()
        return not free

    def _locked(self) -> bool:
        file = self._path().open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _path(self) -> Path:
        folder = settings.DATA_DIR / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{quote(self.name, safe='')}.lock"
