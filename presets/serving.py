"""Sending files: with ranges, so that videos can be sought and downloads resumed, and with validators for caches."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from django.http import (
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe, quote_etag

from presets.errors import NotFound
from presets.paths import refusal

CHUNK = 256 * 1024
RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4", "video/webm")
A_YEAR = 365 * 24 * 3600


def send_file(request: Any, path: Path, *, as_attachment: bool = False, forever: bool = False) -> HttpResponseBase:
    """The file, or the range of it that the request asks for; 304 where the client has it already.

    `forever` is for files that never change: browsers need not ask again. Raises NotFound if it is not on this host.
    """
    stat = _checked(path)
    etag = quote_etag(f"{stat.st_mtime_ns:x}-{stat.st_size:x}")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {
        "ETag": etag,
        "Last-Modified": http_date(stat.st_mtime),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={A_YEAR}, immutable" if forever else "private, no-cache",
        "Content-Disposition": content_disposition_header(as_attachment or kind not in SHOWN, path.name) or "inline",
    }
    answer = _conditional_answer(request, etag, int(stat.st_mtime), headers)
    if answer is not None:
        return answer
    span = _span(request, stat.st_size, etag, int(stat.st_mtime))
    if span is None:
        sentence = f"The file has {stat.st_size} bytes: ask for a range among them."
        return JsonResponse({"detail": sentence}, status=416, headers={"Content-Range": f"bytes */{stat.st_size}"})
    first, end, status = span
    headers |= {"Content-Type": kind, "Content-Length": str(end - first)}
    if status == 206:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{stat.st_size}"
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(_in_threads(_read(path, first, end)), status=status, headers=headers)


def send_folder(request: Any, folder: Path) -> HttpResponseBase:
    """The folder as a tar file, packed while it is sent."""
    _checked(folder, kind="folder")
    name = f"{folder.name}.tar"
    headers = {
        "Content-Type": "application/x-tar",
        "Content-Disposition": content_disposition_header(True, name),
        "Cache-Control": "private, no-cache",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(_in_threads(_pack(folder)), headers=headers)


def _checked(path: Path, kind: str = "file") -> Any:
    if refusal(str(path)):
        raise NotFound(f"The {kind} lies outside the folders that are served: move it, or extend ALLOWED_ROOTS.")
    present = path.is_dir() if kind == "folder" else path.is_file()
    if not present:
        raise NotFound(f"The {kind} is not here any more: it was removed, or it lies on another host.")
    return path.stat()


def _conditional_answer(request: Any, etag: str, modified: int, headers: dict[str, str]) -> HttpResponse | None:
    """304 or 412 where the request's conditions say so."""
    answer = get_conditional_response(request, etag=etag, last_modified=modified)
    if answer is None or answer.status_code not in (304, 412):
        return None
    if isinstance(answer, HttpResponseNotModified):
        for name in ("ETag", "Last-Modified", "Cache-Control"):
            answer[name] = headers[name]
    return answer


def _span(request: Any, size: int, etag: str, modified: int) -> tuple[int, int, int] | None:
    """(first byte, byte after the last, status), or None where the range cannot be had; several ranges give all."""
    found = RANGE.match(request.headers.get("Range", "").strip())
    if found is None or not any(found.groups()) or not _is_same(request.headers.get("If-Range"), etag, modified):
        return 0, size, 200
    first, last = found.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < begin:
            return 0, size, 200
    return (begin, end, 206) if begin < end else None


def _is_same(if_range: str | None, etag: str, modified: int) -> bool:
    return if_range is None or if_range == etag or parse_http_date_safe(if_range) == modified


def _read(path: Path, first: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = end - first
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def _pack(folder: Path) -> Iterator[bytes]:
    """A tar file piece by piece; a file that shrinks meanwhile is filled up with zeros, as its header promised."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        entry = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder)}")
        stat = path.stat()
        entry.size, entry.mtime, entry.mode = stat.st_size, int(stat.st_mtime), 0o644
        yield entry.tobuf(tarfile.PAX_FORMAT)
        sent = 0
        for piece in _read(path, 0, entry.size):
            sent += len(piece)
            yield piece
        yield bytes(entry.size - sent + -entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each read in a thread: a large file neither fills the memory nor holds up the other clients."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
