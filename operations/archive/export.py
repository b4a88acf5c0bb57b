"""Writing an archive, while the site serves and trains."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.timezone import now

from operations.archive.manifest import KEY, NAME, Manifest
from operations.archive.report_progress import Progress
from operations.archive.rows import dump, models_to_keep
from operations.archive.snapshot import snapshot
from operations.archive.tree import ArchivedFile, Tree
from operations.doctor.versions import own_version
from web.errors import DomainError

BLOCK = 1 << 20
LINES = 1_000
TEXT = {".json", ".jsonl", ".log", ".txt"}  # files that compression makes smaller; pictures and weights do not shrink
MARGIN = 50_000_000  # bytes


class CannotExport(DomainError):
    """The archive cannot be written."""


@dataclass(frozen=True)
class Wishes:
    with_secrets: bool = False
    without_models: bool = False
    without_backups: bool = False

    @property
    def left_out(self) -> list[str]:
        named = {"secrets": not self.with_secrets, "models": self.without_models, "backups": self.without_backups}
        return [name for name, is_left_out in named.items() if is_left_out]


class Export:
    """One archive being written to `path`: under a temporary name, and renamed when it is complete."""

    def __init__(self, path: Path, wishes: Wishes, progress: Progress) -> None:
        self.path, self.wishes, self.progress = _target(path), wishes, progress
        self.manifest = _new_manifest(wishes)
        self.vanished: list[str] = []
        self.links = self.strangers = 0

    def write(self) -> Manifest:
        """Raises CannotExport, and OSError if the disk is full; then no file is left."""
        beside = self.path.with_name(f"{self.path.name}.partial")
        try:
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # it holds hashes of passwords
            with beside.open("wb") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    self._fill(archive)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(self.path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return self.manifest

    def _fill(self, archive: zipfile.ZipFile) -> None:
        taken_at = time.time()
        with snapshot():
            tree = Tree(taken_at, self.wishes.without_models, self.wishes.without_backups)
            entries = list(tree.entries())
            self.links, self.strangers = tree.links, tree.strangers
            self._refuse_without_room(entries)
            self._write_files(archive, entries)
            for model in models_to_keep(self.wishes.with_secrets):
                self._write_rows(archive, model)
        if self.wishes.with_secrets:
            self._write(archive, f"data/{KEY}", [settings.SECRET_KEY.encode()], self.manifest.files, KEY)
        archive.writestr(zipfile.ZipInfo(NAME), self.manifest.to_json(), zipfile.ZIP_DEFLATED)

    def _refuse_without_room(self, entries: list[ArchivedFile]) -> None:
        needed = sum(entry.size for entry in entries) + MARGIN
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise CannotExport(
                f"The archive may take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in {self.path.parent}: "
                "choose another folder, or leave something out by --without-models or --without-backups."
            )

    def _write_files(self, archive: zipfile.ZipFile, entries: list[ArchivedFile]) -> None:
        total, done = sum(entry.size for entry in entries), 0
        for entry in entries:
            try:
                self._write_file(archive, entry)
            except FileNotFoundError:
                self.vanished.append(entry.name)  # a newer backup replaced it
            done += entry.size
            self.progress.bytes(done, total)

    def _write_file(self, archive: zipfile.ZipFile, entry: ArchivedFile) -> None:
        with entry.path.open("rb") as file:
            self._write(archive, f"data/{entry.name}", _blocks(file, entry.size), self.manifest.files, entry.name)
        self.manifest.files[entry.name]["mtime"] = entry.mtime

    def _write_rows(self, archive: zipfile.ZipFile, model: type) -> None:
        label, count = model._meta.label_lower, -1  # type: ignore[attr-defined]  # the first line names the columns

        def counted() -> Iterable[bytes]:
            nonlocal count
            for line in dump(model):
                count += 1
                if count % LINES == 0:
                    self.progress.rows(label, count)
                yield line

        self._write(archive, f"rows/{label}.jsonl", counted(), self.manifest.rows, label)
        self.manifest.rows[label]["count"] = count

    def _write(
        self, archive: zipfile.ZipFile, member: str, blocks: Iterable[bytes], facts: dict[str, dict], name: str
    ) -> None:
        """Stream the file in, and note its size and hash."""
        found, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(member)
        info.compress_type = zipfile.ZIP_DEFLATED if Path(member).suffix in TEXT else zipfile.ZIP_STORED
        with archive.open(info, "w", force_zip64=True) as inside:
            for block in blocks:
                inside.write(block)
                found.update(block)
                size += len(block)
        facts[name] = {"size": size, "sha256": found.hexdigest()}


def _blocks(file: BinaryIO, size: int) -> Iterable[bytes]:
    """Not more than `size` bytes: a log grows while it is copied."""
    while size > 0 and (block := file.read(min(BLOCK, size))):
        size -= len(block)
        yield block


def _target(path: Path) -> Path:
    """The file to write; for an existing folder, a file named by the time. Raises CannotExport."""
    path = path.expanduser().absolute()
    if path.is_dir():
        path = path / f"onetrainer-{now():%Y-%m-%d_%H-%M-%S}.zip"
    if path.exists():
        raise CannotExport(f"{path} exists already: remove it, or choose another name.")
    if not path.parent.is_dir():
        raise CannotExport(f"There is no folder {path.parent}: create it, or choose another one.")
    if path.is_relative_to(settings.DATA_DIR):
        raise CannotExport(f"{path} is in the data folder and would be lost with it: choose another folder.")
    return path


def _new_manifest(wishes: Wishes) -> Manifest:
    """Raises CannotExport if the database is of another version than the program."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    if executor.migration_plan(leaves):
        raise CannotExport("The database is not up to date: start the site once, or run `manage.py migrate`.")
    return Manifest(
        version=own_version(),
        made_at=now().isoformat(timespec="seconds"),
        database=connection.vendor,
        data_dir=str(settings.DATA_DIR),
        base_dir=str(settings.BASE_DIR),
        migrations=leaves,
        with_secrets=wishes.with_secrets,
        left_out=wishes.left_out,
    )
