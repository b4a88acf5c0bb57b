"""Files that are whole or not there: written beside, checked, flushed to the disk, and renamed.

A name that ends in `.partial` is an unfinished file: it is never offered, and may always be removed. A folder has a
manifest with the size and the sha256 of each file in it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.interface.errors import BadBackup, DiskFull, NotWritten
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import BadHeader, read_header

MANIFEST = "manifest.json"
PARTIAL = ".partial"
LEAST_SPACE = 1_000_000  # bytes; a disk with less counts as full
BLOCK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
PICTURES = {  # the first and last bytes of each kind
    ".png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    ".jpg": (b"\xff\xd8", b"\xff\xd9"),
    ".jpeg": (b"\xff\xd8", b"\xff\xd9"),
}

PREVIEW = Path("samples") / ".preview.jpg"  # in a run's workspace: the sample that is being generated


@contextmanager
def written_beside(final: Path, old: Path | None = None) -> Iterator[Path]:
    """A path to write to; it replaces `final` only after the block has ended well and the file is on the disk.

    The previous file at `final` is kept as `old`, if that is given. Raises DiskFull, and NotWritten if the written file
    is not whole.
    """
    beside = final.with_name(final.name + PARTIAL)
    final.parent.mkdir(parents=True, exist_ok=True)
    remove(beside)
    with _whole_or_gone(beside, final):
        yield beside
        refuse_broken(beside, final.suffix)
        flush(beside)
        if old is not None and final.exists():
            _keep_as(final, old)
        beside.replace(final)
        flush_folder(final.parent)


@contextmanager
def _whole_or_gone(beside: Path, final: Path) -> Iterator[None]:
    """Remove the half-written file if the block fails; raises DiskFull if the disk is full."""
    try:
        yield
    except BaseException as error:
        full = is_disk_full(error, final.parent)
        remove(beside)
        if full:
            sentence = f"The disk is full, so {final.name} was not written: free some space, then resume."
            raise DiskFull(sentence) from error
        raise


def _keep_as(final: Path, old: Path) -> None:
    """A file has both names until the new file replaces it: after a crash at any moment, one of them is there."""
    if final.is_dir():
        final.rename(old)
        return
    try:
        os.link(final, old)
    except OSError:  # a file system without links
        final.rename(old)


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """True if a write failed because the disk is full: torch and safetensors report that differently, or not at all."""
    if isinstance(error, OSError) and error.errno:
        return error.errno in FULL
    return isinstance(error, Exception) and (
        "No space left" in str(error) or shutil.disk_usage(folder).free < LEAST_SPACE
    )


@contextmanager
def written_within(final: Path, keep_old: Callable[[Path], Path | None] = lambda path: None) -> Iterator[Path]:
    """As `written_beside`, for a writer that appends endings or writes several files: a path in a folder of its own.

    Afterwards everything in that folder moves to the folder of `final`; `keep_old` first gets the new path of each, and
    may return another.
    """
    beside = final.with_name(final.name + PARTIAL)
    remove(beside)
    beside.mkdir(parents=True)
    with _whole_or_gone(beside, final):
        yield beside / final.name
        refuse_broken(beside)
        for entry in sorted(beside.iterdir()):
            if entry.is_dir():
                write_manifest(entry)
        flush(beside)
        for entry in sorted(beside.iterdir()):
            target = final.parent / entry.name
            entry.replace(keep_old(target) or target)
        flush_folder(final.parent)
    remove(beside)


# -- whether a file is whole ---------------------------------------------------------------------------------------


def refuse_broken(path: Path, suffix: str = "") -> None:
    """Raise NotWritten unless the file, or each file in the folder, is complete to its last byte."""
    for file in files_in(path) if path.is_dir() else [path]:
        why = _what_is_wrong(file, suffix if file == path else file.suffix)
        if why:
            raise NotWritten(f"{file.name} was not written completely ({why}): check the disk and its free space.")


def _what_is_wrong(file: Path, suffix: str) -> str:
    size = file.stat().st_size
    if suffix == ".safetensors":
        return _what_is_wrong_with_weights(file, size)
    if suffix == ".json":
        return _what_is_wrong_with_json(file)
    if suffix == ".pt":
        return "" if zipfile.is_zipfile(file) else "its end is missing"
    if suffix in PICTURES and not _begins_and_ends(file, size, *PICTURES[suffix]):
        return "it is cut off"
    return ""


def _what_is_wrong_with_weights(file: Path, size: int) -> str:
    try:
        missing = read_header(file).file_size - size
    except BadHeader as error:
        return str(error)
    return f"it has {size} bytes, {abs(missing)} {'more' if missing < 0 else 'less'} than it says" if missing else ""


def _what_is_wrong_with_json(file: Path) -> str:
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return "it is not JSON"
    return ""


def _begins_and_ends(file: Path, size: int, begin: bytes, end: bytes) -> bool:
    if size < len(begin) + len(end):
        return False
    with file.open("rb") as opened:
        begins = opened.read(len(begin)) == begin
        opened.seek(-len(end), os.SEEK_END)
        return begins and opened.read() == end


def write_manifest(folder: Path) -> None:
    """Note the size and sha256 of each file in the folder."""
    facts = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in files_in(folder)
        if path != folder / MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps({"files": facts}, indent=1), encoding="utf-8")


def verify(folder: Path, hashes: bool = True) -> None:
    """Raise BadBackup unless each file of the manifest is there with its size and, if requested, its hash."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        damaged = next((name for name, facts in files.items() if not _is_same(folder / name, facts, hashes)), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadBackup(f"The backup {folder} is not complete: resume from an older backup.") from error
    if damaged is not None:
        raise BadBackup(f"The backup {folder} is damaged ({damaged}): resume from an older backup.")


def _is_same(file: Path, facts: JsonObject, hashes: bool) -> bool:
    same_size = file.is_file() and file.stat().st_size == facts["size"]
    return same_size and (not hashes or sha256_of(file) == facts["sha256"])


def facts_of(path: Path) -> JsonObject:
    """Size in bytes, and the sha256 of a file, or of a folder's manifest, which holds the hashes of its files."""
    named = path / MANIFEST if path.is_dir() else path
    return {"size": size_of(path), "sha256": sha256_of(named) if named.is_file() else ""}


def sha256_of(path: Path, beat: Callable[[], object] = lambda: None) -> str:
    """The hash in hexadecimal; `beat` is called for each block, as a heartbeat."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            beat()
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder, without the targets of links."""
    return sum(file.lstat().st_size for file in (files_in(path) if path.is_dir() else [path]))


def files_in(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if Path(place, name).is_file())


# -- flushing and removing ------------------------------------------------------------------------------------------


def flush(path: Path) -> None:
    """Flush a file, or a folder with all its files, to the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            flush(entry)
        flush_folder(path)
    else:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link itself, or a folder with all its files."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put_away(path: Path) -> None:
    """Remove so that a kill halfway leaves nothing that looks like the whole file or folder."""
    doomed = path.with_name(path.name + PARTIAL)
    remove(doomed)
    path.rename(doomed)
    remove(doomed)


def leftovers(folder: Path) -> Iterator[Path]:
    """The half-written files of killed processes below a folder; links are not followed."""
    for place, folders, names in os.walk(folder):
        yield from (Path(place, name) for name in [*folders, *names] if name.endswith(PARTIAL))
        folders[:] = [name for name in folders if not name.endswith(PARTIAL)]


def remove_leftovers(folder: Path) -> None:
    for leftover in list(leftovers(folder)):
        remove(leftover)


def total_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; a file that disappears during the count counts as nothing."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = 0
    for file in files:
        try:
            size += file.stat().st_size
        except FileNotFoundError:
            continue
    return size
