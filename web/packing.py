"""Many files as one zip file, created while it is sent: nothing is copied first, and it may be of any size.

The files are pictures, weights and states, which compression hardly makes smaller, so they are only stored.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from engine.paths.door import open_file
from engine.paths.policy import Policy, Purpose
from web.paths.site import policy
from web.serving import CHUNK, checked, in_threads

Pieces = Iterator[bytes]
Content = Path | str


def send_zip(name: str, members: Iterable[tuple[str, Content]], method: str = "GET") -> HttpResponseBase:
    """A response with the members, each a name and its file or text."""
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
    }
    if method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(in_threads(zipped(members, policy().whole)), headers=headers)


def send_folder(request: HttpRequest, folder: Path) -> HttpResponseBase:
    """The folder as a zip file. Raises NotFound if it is not on this host."""
    checked(folder, kind="folder")
    return send_zip(f"{folder.name}.zip", files_of(folder), request.method or "GET")


def zipped(members: Iterable[tuple[str, Content]], allowed: Policy) -> Pieces:
    """The zip file, piece by piece."""
    outlet = _Outlet()
    with ZipFile(outlet, "w", ZIP_STORED) as archive:
        for name, content in members:
            if isinstance(content, str):
                archive.writestr(name, content)
            else:
                yield from _add(archive, outlet, name, content, allowed)
    yield outlet.take()


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder, below the folder's own name; links are left out, since they may lead anywhere."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield f"{folder.name}/{path.relative_to(folder)}", path


def _add(archive: ZipFile, outlet: _Outlet, name: str, path: Path, allowed: Policy) -> Pieces:
    with open_file(allowed, str(path), Purpose.SEND) as file:
        entry = ZipInfo(name, _moment(os.fstat(file.fileno()).st_mtime))
        entry.external_attr = 0o644 << 16
        with archive.open(entry, "w", force_zip64=True) as packed:
            while piece := file.read(CHUNK):
                packed.write(piece)
                yield outlet.take()


def _moment(seconds: float) -> tuple[int, int, int, int, int, int]:
    """The file's time of change; a zip file cannot contain years before 1980."""
    written = datetime.fromtimestamp(seconds)
    return (max(1980, written.year), *written.timetuple()[1:6])


class _Outlet(io.RawIOBase):
    """Collects written bytes until they are read; a zip file can be written without seeking."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
