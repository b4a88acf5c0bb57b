"""The data folder: free space, limits, whether it is writable, and who may read it."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connection

from operations.doctor.finding import Asked, Finding, fine, look_at, note, unknown, wrong

LITTLE, MUCH_TOO_LITTLE = 10_000_000_000, 1_000_000_000  # bytes: the size of a backup of a large model
FEW_INODES = 1_000
FEW_FILES = 1_024  # open files
PROBE_BYTES = 1_000_000
SHARED = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "glusterfs", "ceph")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
PRIVATE = ("secret_key", "db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm")


def look(asked: Asked) -> Iterator[Finding]:
    folder = settings.DATA_DIR
    if not folder.is_dir():
        yield unknown(f"The data folder {folder} does not exist.", "mount its disk again, or correct DATA_DIR")
        return
    yield from _room(folder)
    yield _writable(folder)
    yield from _quota(folder)
    yield from _limits()
    yield from _file_system(folder)
    yield from _permissions(folder)


def _room(folder: Path) -> Iterator[Finding]:
    usage, facts = shutil.disk_usage(folder), os.statvfs(folder)
    sentence = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are free where {folder} lies."
    cure = "free some space: old runs, backups and models take the most"
    if usage.free < MUCH_TOO_LITTLE:
        yield wrong(sentence, cure)
    else:
        yield look_at(sentence, cure) if usage.free < LITTLE else fine(sentence)
    if facts.f_files and facts.f_favail < FEW_INODES:  # some file systems report none
        yield wrong(
            f"Only {facts.f_favail} more files can be created there.", "remove small files, such as old samples"
        )


def _writable(folder: Path) -> Finding:
    """Write a file as a backup is written: under a temporary name, flushed to the disk, renamed."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-", delete=False) as file:
            path = Path(file.name)
            try:
                file.write(os.urandom(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
                path = path.rename(path.with_suffix(".renamed"))
            finally:
                path.unlink(missing_ok=True)
    except OSError as error:
        return wrong(
            f"No file can be written there ({error.strerror}).",
            "free some space, or make yourself the folder's owner again",
        )
    return fine("It can be written.")


def _quota(folder: Path) -> Iterator[Finding]:
    """A quota can leave less than the disk's free space; only the system's own program knows it."""
    if shutil.which("quota") is None:
        return
    command = ["quota", "--show-mntpoint", "--hide-device", "--no-wrap", "--raw-grace"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield note(f"Quotas could not be read ({type(error).__name__}).")
        return
    over = [line for line in answer.stdout.splitlines() if "*" in line]
    if over:
        yield wrong("A disk quota is used up.", "free some space, or request a larger quota: `quota` shows it")


def _limits() -> Iterator[Finding]:
    size, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if size != resource.RLIM_INFINITY:
        yield look_at(f"No file may grow past {size / 1e9:.1f} GB (ulimit -f).", "raise the limit: models are large")
    if files < FEW_FILES:
        yield look_at(f"Only {files} files may be open at once (ulimit -n).", f"raise the limit to {FEW_FILES}")


def _file_system(folder: Path) -> Iterator[Finding]:
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    kind = max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"
    if connection.vendor == "sqlite" and kind.startswith(SHARED):
        cure = "keep the data folder on a disk of this machine, or use PostgreSQL by DATABASE_URL"
        yield wrong(f"SQLite's database is on a network file system ({kind}), which may damage it.", cure)
    else:
        yield fine(f"Its file system is {kind}.")


def _permissions(folder: Path) -> Iterator[Finding]:
    """Other users cannot read a file in a folder that they cannot enter."""
    closed = not folder.stat().st_mode & OTHERS
    key = folder / "secret_key"
    if key.exists() and key.stat().st_mode & OTHERS:
        sentence = "Other users may read secret_key, which signs sessions and encrypts tokens."
        yield wrong(sentence, f"chmod 600 {key}", lambda: _close(key))
    open_files = [name for name in PRIVATE[1:] if _is_open(folder / name)]
    if not closed and open_files:
        cure = f"chmod 700 {folder}"
        yield look_at(f"Other users of this machine may read {', '.join(open_files)}.", cure)
    elif closed or not open_files:
        yield fine("Other users of this machine cannot read the database.")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & OTHERS)


def _close(path: Path) -> str:
    path.chmod(0o600)
    return "Only its owner can read it now."
