"""Backups: whole or not there. A folder of files with a manifest, written beside, checked, and renamed. No torch."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.interface.errors import BadBackup, DiskFull
from engine.interface.progress import TrainProgress

MANIFEST = "manifest.json"
META = "meta.json"
PARTIAL = ".partial"
LEAST_ROOM = 1_000_000  # bytes; a disk with less counts as full


def backup_name(progress: TrainProgress) -> str:
    """As OneTrainer names them: time, global step, epoch and step in the epoch."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}-backup-{progress.filename_string()}"


def write_backup(folder: Path, progress: TrainProgress, meta: dict[str, Any], write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder beside, add meta and manifest, and rename it into `folder`; return its path."""
    final = unused(folder / backup_name(progress))
    with written_beside(final) as beside:
        beside.mkdir(parents=True)
        write(beside)
        (beside / META).write_text(json.dumps(meta, indent=1))
        _write_manifest(beside)
        verify(beside)
    return final


@contextmanager
def written_beside(final: Path) -> Iterator[Path]:
    """A path to write to; it takes the place of `final` only after the block has ended well and is on the disk."""
    beside = final.with_name(final.name + PARTIAL)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove(beside)
    try:
        yield beside
        _flush(beside)
        beside.rename(final)
        _flush_folder(final.parent)
    except BaseException as error:
        full = _is_for_want_of_room(error, final.parent)
        _remove(beside)
        if full:
            raise DiskFull(f"The disk is full, so {final.name} was not written: free some room and go on.") from error
        raise


def _is_for_want_of_room(error: BaseException, folder: Path) -> bool:
    """Whether a write failed since the disk is full: torch and safetensors say so in words of their own, or not."""
    if isinstance(error, OSError) and error.errno:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, Exception) and (
        "No space left" in str(error) or shutil.disk_usage(folder).free < LEAST_ROOM
    )


def verify(backup: Path, hashes: bool = True) -> None:
    """Raise BadBackup unless each file of the manifest is there with its size and, if asked for, its hash."""
    try:
        manifest = json.loads((backup / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BadBackup(f"The backup {backup} is not whole: continue from an older one.") from error
    for name, facts in manifest["files"].items():
        file = backup / name
        same_size = file.is_file() and file.stat().st_size == facts["size"]
        if not same_size or (hashes and _hash(file) != facts["sha256"]):
            raise BadBackup(f"The backup {backup} is damaged ({name}): continue from an older one.")


def is_whole(backup: Path) -> bool:
    """Whether every file is there in its full size; quick, as nothing is read but the manifest."""
    try:
        verify(backup, hashes=False)
    except BadBackup:
        return False
    return True


def read_meta(backup: Path) -> dict[str, Any]:
    return json.loads((backup / META).read_text())


def list_backups(folder: Path) -> list[Path]:
    """The backups in a folder, newest first; half-written ones do not have a backup's name."""
    found = [path for path in folder.glob("*-backup-*") if path.is_dir() and not path.name.endswith(PARTIAL)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def keep_newest(folder: Path, count: int) -> list[Path]:
    """Remove all but the newest `count` backups; return those removed."""
    surplus = list_backups(folder)[count:]
    for backup in surplus:
        doomed = backup.with_name(backup.name + PARTIAL)
        _remove(doomed)
        backup.rename(doomed)  # at once: a kill while its files go leaves nothing that looks like a backup
        _remove(doomed)
    return surplus


def unused(path: Path) -> Path:
    """The path itself, or one with a number behind it that is not taken."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = {str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": _hash(path)} for path in files}
    (folder / MANIFEST).write_text(json.dumps({"files": facts}, indent=1))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Put a file, or a folder with all that is in it, on the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            _flush(entry)
        _flush_folder(path)
    else:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
