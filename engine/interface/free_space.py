"""Free disk space for large files, and the backups that may be removed to make space."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.errors import DiskFull
from engine.interface.files import PARTIAL, put_away

PINNED = ".pinned"
MARGIN = 10_000_000  # bytes, and
SPARE = 20  # 1/20 of the file: for journal and log, and for other programs that write at the same time


class NoSpace(DiskFull):
    """The new file would not fit on the disk."""


def needed(expected: int) -> int:
    """Bytes that must be free before a file of this size is written."""
    return expected + expected // SPARE + MARGIN


def in_words(size: float) -> str:
    """`5.1 GB`, or `320 MB`; decimal, as disks are sold and the pages show them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of the folder, which need not exist yet."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(there).free


def refuse_without_space(folder: Path, what: str, expected: int) -> None:
    """Raises NoSpace."""
    free = free_bytes(folder)
    if free < needed(expected):
        raise NoSpace(
            f"The {what} does not fit on the disk: it needs {in_words(needed(expected))}, and {in_words(free)} are "
            f"free in {folder}. Free {in_words(needed(expected) - free)}, for example on the clean-up page."
        )


def mark_of(path: Path) -> Path:
    """The file beside a backup that marks it as pinned."""
    return path.with_name(path.name + PINNED)


def is_pinned(path: Path) -> bool:
    return mark_of(path).exists()


@dataclass
class Backups:
    """A run's backups on the disk, and the numbers that its config (`rolling`) and its site (`keep`) let stay.

    A pinned backup is never removed, and neither is the newest. `on_removed` is called for each removed backup.
    """

    folder: Path
    rolling: int | None = None
    keep: int | None = None
    on_removed: Callable[[Path], None] = lambda path: None
    written: list[Path] = field(default_factory=list)  # by this process, in order, even if the clock was changed

    def newest_first(self) -> list[Path]:
        """Half-written backups have other names."""
        order = {path: place for place, path in enumerate(self.written)}
        found = [path for path in self.folder.glob("*-backup-*") if path.is_dir() and path.suffix != PARTIAL]
        return sorted(found, key=lambda path: (order.get(path, -1), _modified(path), path.name), reverse=True)

    def roll(self) -> None:
        """Remove the backups beyond `rolling`."""
        for path in self._beyond(self.rolling) if self.rolling else []:
            self._remove(path)

    def make_space(self, what: str, expected: int, target: Path) -> None:
        """Make sure that this many bytes fit in the folder `target`. Raises NoSpace."""
        self.free(expected, target)
        refuse_without_space(target, what, expected)

    def free(self, expected: int, target: Path) -> None:
        """Remove only backups that the new backup would replace anyway, the oldest first: none, if it fits."""
        allowed = min((count for count in (self.rolling, self.keep) if count), default=None)
        for path in reversed(self._beyond(allowed - 1) if allowed else []):
            if free_bytes(target) >= needed(expected):
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
