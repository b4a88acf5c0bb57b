"""Uploaded zip files: checked before anything is unpacked, and never written to disk."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from django.utils.translation import gettext as _

from web.errors import BadInput

MOST_FILES = 2_000
MOST_FILE_BYTES = 5_000_000
MOST_BYTES = 50_000_000
CONFIGS = (".json", ".toml", ".yaml", ".yml")
MOST_RATIO = 200  # a JSON file is packed to a tenth of its size, a zip bomb to a thousandth


def is_zip(content: bytes) -> bool:
    return content.startswith(b"PK")


def unpack(filename: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """(path within, content) of each config file; raises BadInput for a damaged or malicious file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _refuse_what_does_harm(filename, entries)
            for entry in entries:
                if _is_preset(entry.filename):
                    yield entry.filename, read_entry(archive, entry)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise BadInput(
            _("%(filename)s is not a readable zip file (%(error)s): pack it again.")
            % {"filename": filename, "error": error}
        ) from error


def _refuse_what_does_harm(filename: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES:
        raise BadInput(
            _("%(filename)s contains %(entries)s files: import at most %(most_files)s at once.")
            % {"filename": filename, "entries": len(entries), "most_files": MOST_FILES}
        )
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise BadInput(
                _("%(filename)s contains %(filename2)s, a path outside the zip file: pack it again.")
                % {"filename": filename, "filename2": f"{entry.filename[:100]!r}"}
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(
                _("%(filename)s contains the link %(filename2)s: pack the files themselves.")
                % {"filename": filename, "filename2": f"{entry.filename[:100]!r}"}
            )
        if entry.flag_bits & 1:
            raise BadInput(_("%(filename)s is encrypted: pack it without a password.") % {"filename": filename})
        if entry.file_size > MOST_FILE_BYTES or entry.file_size > MOST_RATIO * max(1, entry.compress_size) + 10_000:
            raise BadInput(
                _("%(filename)s contains %(filename2)s, which is too large for a preset: leave it out.")
                % {"filename": filename, "filename2": f"{entry.filename[:100]!r}"}
            )
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise BadInput(
            _("%(filename)s contains more than %(most_bytes)s MB: import fewer presets at once.")
            % {"filename": filename, "most_bytes": MOST_BYTES // 1_000_000}
        )


def _is_preset(name: str) -> bool:
    """The files of configs, without the files that operating systems and OneTrainer's desktop program add."""
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in CONFIGS and path.name != "#.json" and not hidden


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int = MOST_FILE_BYTES) -> bytes:
    """The content of a file; the sizes in the zip file's table may be false, so at most the allowed size is read."""
    with archive.open(entry) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise BadInput(
            _("%(filename)s is larger than its table says: pack it again.") % {"filename": f"{entry.filename[:100]!r}"}
        )
    return content
