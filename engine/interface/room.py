"""Room on the disk before something large is written, and the backups that may go for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.errors import DiskFull
from engine.interface.files import PARTIAL, put_away

PINNED = ".pinned"
MARGIN = 10_000_000  # bytes, and
SPARE = 20  # a part in so many: for journal and log, and what else writes meanwhile


class NoRoom(DiskFull):
    """What is to be written would not fit on the disk."""


def needed(expected: int) -> int:
    """Bytes that have to be free before so many are written."""
    return expected + expected // SPARE + MARGIN


def in_words(size: float) -> str:
    """`5.1 GB`, or `320 MB`; decimal, as disks are sold and the pages show them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def free_room(folder: Path) -> int:
    """Bytes that are free where the folder is, or will be."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(there).free


def refuse_without_room(folder: Path, what: str, expected: int) -> None:
    """Raises NoRoom."""
    free = free_room(folder)
    if free < needed(expected):
        raise NoRoom(
            f"There is no room for the {what}: it needs {in_words(needed(expected))}, and {in_words(free)} are free on "
            f"the disk of {folder}. Free {in_words(needed(expected) - free)}, for example by the clean-up page."
        )


def mark_of(path: Path) -> Path:
    """The file beside a backup that says that it is pinned."""
    return path.with_name(path.name + PINNED)


def is_pinned(path: Path) -> bool:
    return mark_of(path).exists()


@dataclass
class Backups:
    """A run's backups on the disk, and how many of them its config (`rolling`) and its site (`keep`) let stay.

    A pinned one never goes, and neither does the newest. `on_removed` hears of each that is gone.
    """

    folder: Path
    rolling: int | None = None
    keep: int | None = None
    on_removed: Callable[[Path], None] = lambda path: None
    written: list[Path] = field(default_factory=list)  # by this process, in order, whatever the clock did meanwhile

    def newest_first(self) -> list[Path]:
        """Half-written ones do not have a backup's name."""
        order = {path: place for place, path in enumerate(self.written)}
        found = [path for path in self.folder.glob("*-backup-*") if path.is_dir() and path.suffix != PARTIAL]
        return sorted(found, key=lambda path: (order.get(path, -1), _modified(path), path.name), reverse=True)

    def roll(self) -> None:
        """Remove those beyond `rolling`."""
        for path in self._beyond(self.rolling) if self.rolling else []:
            self._remove(path)

    def make_room(self, what: str, expected: int, target: Path) -> None:
        """Have room for so many bytes in the folder `target`. Raises NoRoom."""
        self.free(expected, target)
        refuse_without_room(target, what, expected)

    def free(self, expected: int, target: Path) -> None:
        """Only that goes which would go anyway once the new one is there, the oldest first: nothing, while it fits."""
        allowed = min((count for count in (self.rolling, self.keep) if count), default=None)
        for path in reversed(self._beyond(allowed - 1) if allowed else []):
            if free_room(target) >= needed(expected):
                return
            self._remove(path)

    def _beyond(self, count: int) -> list[Path]:
        return [path for path in self.newest_first()[max(1, count) :] if not is_pinned(path)]

    def _remove(self, path: Path) -> None:
        try:
            put_away(path)
        except FileNotFoundError:
            return  # the site removed it at this moment
        self.on_removed(path)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0  # removed at this moment
