"""Send files: with ranges, to seek in videos and resume downloads, and with validators for caches."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe, quote_etag
from django.utils.translation import gettext as _

from engine.paths.door import open_file, open_folder
from engine.paths.policy import Policy, Purpose, Refused
from web.errors import NotFound
from web.limits.ranges import spans_of
from web.paths.site import policy

CHUNK = 256 * 1024
SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4", "video/webm")
A_YEAR = 365 * 24 * 3600


def send_file(
    request: HttpRequest, path: Path, *, as_attachment: bool = False, forever: bool = False, name: str = ""
) -> HttpResponseBase:
    """The file, or the requested range of it; 304 if the client has it already.

    `forever` is for files that never change: browsers need not request them again. `name` is the name to save it as.
    Raises NotFound if it is not on this host.
    """
    file = opened(path)
    answer = None
    try:
        answer = _answer(request, file, path, as_attachment, forever, name)
    finally:
        if answer is None or not answer.streaming:
            file.close()
    return answer


def _answer(
    request: HttpRequest, file: BinaryIO, path: Path, as_attachment: bool, forever: bool, name: str
) -> HttpResponseBase:
    """The answer from a file that is open already, so that a file that replaces it changes nothing."""
    stat = os.fstat(file.fileno())
    etag = quote_etag(f"{stat.st_mtime_ns:x}-{stat.st_size:x}")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {
        "ETag": etag,
        "Last-Modified": http_date(stat.st_mtime),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={A_YEAR}, immutable" if forever else "private, no-cache",
        "Content-Disposition": content_disposition_header(as_attachment or kind not in SHOWN, name or path.name)
        or "inline",
    }
    answer = _conditional_answer(request, etag, int(stat.st_mtime), headers)
    if answer is not None:
        return answer
    span = _span(request, stat.st_size, etag, int(stat.st_mtime))
    if span is None:
        sentence = _("The file has %(st_size)s bytes: request a range within them.") % {"st_size": stat.st_size}
        return JsonResponse({"detail": sentence}, status=416, headers={"Content-Range": f"bytes */{stat.st_size}"})
    first, end, status = span
    headers |= {"Content-Type": kind, "Content-Length": str(end - first)}
    if status == 206:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{stat.st_size}"
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    response = StreamingHttpResponse(in_threads(_read(file, first, end)), status=status, headers=headers)
    # As Django's own FileResponse does: also if the client hangs up before the first byte.
    response._resource_closers.append(file.close)  # type: ignore[attr-defined]
    return response


def opened(path: Path) -> BinaryIO:
    """The file, open for reading, if it may be served; raises NotFound."""
    with _missing_as_not_found("file"):
        return open_file(policy(), str(path), Purpose.SEND)


def checked(path: Path, kind: str = "file") -> os.stat_result:
    """The `stat` of a file or folder that may be served; raises NotFound."""
    with _missing_as_not_found(kind):
        return _stat_of(path, kind, policy())


@contextmanager
def _missing_as_not_found(kind: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise NotFound(
            _("The %(kind)s is outside the allowed folders: move it, or ask an admin to add its folder.")
            % {"kind": kind}
        ) from refused
    except OSError as error:
        raise NotFound(
            _("The %(kind)s does not exist any more: it was removed, or it is on another host.") % {"kind": kind}
        ) from error


def _stat_of(path: Path, kind: str, allowed: Policy) -> os.stat_result:
    """Of the file or folder that is opened, so that nothing can be put in its place."""
    if kind == "folder":
        descriptor, _judged = open_folder(allowed, str(path), Purpose.SEND)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)
    with open_file(allowed, str(path), Purpose.SEND) as file:
        return os.fstat(file.fileno())


def _conditional_answer(request: HttpRequest, etag: str, modified: int, headers: dict[str, str]) -> HttpResponse | None:
    """304 or 412 if the request's conditions require it."""
    answer = get_conditional_response(request, etag=etag, last_modified=modified)
    if answer is None or answer.status_code not in (304, 412):
        return None
    if isinstance(answer, HttpResponseNotModified):
        for name in ("ETag", "Last-Modified", "Cache-Control"):
            answer[name] = headers[name]
    return answer


def _span(request: HttpRequest, size: int, etag: str, modified: int) -> tuple[int, int, int] | None:
    """(first byte, byte after the last, status); None for a Range that cannot be met. Several parts give all of it."""
    header = request.headers.get("Range")
    if header is None or not _is_same(request.headers.get("If-Range"), etag, modified):
        return 0, size, 200
    spans = spans_of(header, size)
    if spans is None:
        return None
    return (*spans[0], 206) if len(spans) == 1 else (0, size, 200)


def _is_same(if_range: str | None, etag: str, modified: int) -> bool:
    return if_range is None or if_range == etag or parse_http_date_safe(if_range) == modified


def _read(file: BinaryIO, first: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        left = end - first
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


async def in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The file in pieces, each read in a thread: a large file neither fills the memory nor blocks other clients."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
