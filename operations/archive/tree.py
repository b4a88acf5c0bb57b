"""The files of the data folder that match a snapshot of the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from engine.interface.control import FILE_NAME as CONTROL
from engine.interface.fence import LOCK_FILE, MARK_FILE
from engine.interface.files import PARTIAL
from engine.interface.journal import FILE_NAME as JOURNAL
from engine.launcher import PROCESS_FILE
from operations.archive.manifest import PLACES
from training.models import Artifact, Run

OF_THIS_BOOT = {CONTROL, PROCESS_FILE, LOCK_FILE, MARK_FILE}  # address, number and fence of a living process


@dataclass(frozen=True)
class ArchivedFile:
    """A file, and how many of its bytes belong to the snapshot."""

    path: Path
    size: int
    mtime: float

    @property
    def name(self) -> str:
        return self.path.relative_to(settings.DATA_DIR).as_posix()


@dataclass
class Tree:
    """Use it within the snapshot that was taken at `taken_at`."""

    taken_at: float
    without_models: bool = False
    without_backups: bool = False
    links: int = 0
    strangers: int = 0  # folders in `runs` without a run

    def __post_init__(self) -> None:
        runs = Run.objects.with_progress().only("status", "attempt", "progress__journal_offset")
        self._runs = {str(run.pk): run for run in runs}
        self._unwanted = set(self._unwanted_artifacts())

    def entries(self) -> Iterator[ArchivedFile]:
        """Files of active runs first: newer backups may soon replace theirs."""
        for key in sorted(self._runs, key=lambda key: not self._runs[key].is_active):
            yield from self._run(self._runs[key])
        self.strangers = len(set(_names_in(settings.DATA_DIR / "runs")) - set(self._runs))
        for place in PLACES[1:]:
            if not (place == "models" and self.without_models):
                yield from self._files(settings.DATA_DIR / place)

    def _unwanted_artifacts(self) -> Iterator[str]:
        kinds = [Artifact.Kind.BACKUP] if self.without_backups else []
        kinds += [Artifact.Kind.SAVE, Artifact.Kind.MODEL] if self.without_models else []
        yield from Artifact.objects.filter(kind__in=kinds).values_list("path", flat=True)

    def _run(self, run: Run) -> Iterator[ArchivedFile]:
        attempts = run.folder / "attempts"
        for entry in self._files(run.folder):
            if entry.path.is_relative_to(attempts):
                yield from self._of_attempt(run, entry, attempts)
            elif not (run.is_active and entry.mtime > self.taken_at):  # otherwise it is newer than the snapshot
                yield entry

    def _of_attempt(self, run: Run, entry: ArchivedFile, attempts: Path) -> Iterator[ArchivedFile]:
        """Up to the offset in the rows: a longer journal is cut there."""
        number, name = entry.path.relative_to(attempts).parts[0], entry.path.name
        if name in OF_THIS_BOOT or (number.isdecimal() and int(number) > run.attempt):
            return
        cut = run.is_active and name == JOURNAL and number == str(run.attempt)
        yield ArchivedFile(entry.path, min(entry.size, run.progress.journal_offset), entry.mtime) if cut else entry

    def _files(self, folder: Path) -> Iterator[ArchivedFile]:
        for place, folders, names in os.walk(folder):
            here = Path(place)
            folders[:] = sorted(name for name in folders if self._is_wanted(here / name))
            for path in (here / name for name in sorted(names)):
                if self._is_wanted(path):
                    try:
                        facts = path.stat()
                    except FileNotFoundError:
                        continue  # a newer backup replaced it
                    yield ArchivedFile(path, facts.st_size, facts.st_mtime)

    def _is_wanted(self, path: Path) -> bool:
        if path.is_symlink():
            self.links += 1
            return False
        return not path.name.endswith(PARTIAL) and str(path) not in self._unwanted


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208
