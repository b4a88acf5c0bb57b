"""The parts of the tus protocol 1.0.0 that every resumable upload has: its version, its headers, and writing a piece.

https://tus.io/protocols/resumable-upload. The browser's side is tus-js-client.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import BinaryIO, Protocol

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.api.parameters import KnownParameters
from web.api.throttling import ReadThrottle
from web.errors import BadInput, DomainError, NotNow

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum"
CHECKSUMS = ("sha1", "sha256", "md5")
CHUNK = 1024 * 1024


class Unsupported(BadInput):
    """This site speaks version 1.0.0 of the tus protocol: send the header Tus-Resumable: 1.0.0."""

    status = 412


class WrongOffset(NotNow):
    """The upload continues at another place: ask for its offset, then send the bytes from there."""


class WrongChecksum(BadInput):
    """The bytes arrived damaged: send this piece again."""

    status = 460  # as the tus protocol has it


class TooLarge(DomainError):
    """The file is too large."""

    status = 413


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Pieces(BaseParser):
    """The bytes of a piece, which the view reads itself."""

    media_type = "application/offset+octet-stream"

    def parse(self, stream: object, media_type: str | None = None, parser_context: object = None) -> object:
        return stream


class TusView(KnownParameters, APIView):
    """Answers carry the protocol's version; pieces are many, so only reading is counted."""

    parser_classes = (Pieces,)
    throttle_classes = (ReadThrottle,)
    most_bytes = 0  # of one file

    def finalize_response(self, request: Request, response: Response, *args: object, **kwargs: object) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Tus-Resumable"] = VERSION
        answer["Tus-Version"] = VERSION
        return answer

    def options(self, request: Request, *args: object, **kwargs: object) -> Response:
        """What this server can do, as the protocol asks."""
        headers = {
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(self.most_bytes),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        }
        return Response(status=204, headers=headers)


def check_version(request: Request) -> None:
    """Raise Unsupported for another version of the protocol."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Unsupported


def number(request: Request, header: str) -> int:
    """A header with bytes. Raises BadInput."""
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadInput(_("%(header)s must be a whole number of bytes.") % {"header": header})
    return int(text)


def metadata(request: Request) -> dict[str, str]:
    """The pairs of Upload-Metadata. Raises BadInput."""
    facts = {}
    header = request.headers.get("Upload-Metadata", "")
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        name, _space, value = pair.partition(" ")
        try:
            facts[name] = base64.b64decode(value, validate=True).decode().replace("\x00", "")
        except (binascii.Error, UnicodeDecodeError) as error:
            sentence = _("Upload-Metadata must have names with values in base64, such as `filename YS5wbmc=`.")
            raise BadInput(sentence) from error
    return facts


def checksum(request: Request) -> tuple[str, bytes] | None:
    """(algorithm, digest). Raises BadInput for an unknown algorithm, as the protocol requires."""
    header = request.headers.get("Upload-Checksum", "")
    if not header:
        return None
    name, _space, value = header.partition(" ")
    names = {"names": ", ".join(CHECKSUMS)}
    sentence = _("Upload-Checksum must be one of %(names)s with its value in base64.") % names
    if name not in CHECKSUMS:
        raise BadInput(sentence)
    try:
        return name, base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise BadInput(sentence) from error


def write_piece(file: BinaryIO, stream: Stream, most: int, checksum: tuple[str, bytes] | None) -> int:
    """Write the piece at the file's place; return the place behind it. Raises TooLarge and WrongChecksum."""
    start, digest = file.tell(), hashlib.new(checksum[0], usedforsecurity=False) if checksum else None
    while piece := stream.read(CHUNK):
        if file.tell() - start + len(piece) > most:
            raise TooLarge(_("More bytes were sent than Upload-Length says: begin the upload again."))
        file.write(piece)
        if digest:
            digest.update(piece)
    if checksum and digest and digest.digest() != checksum[1]:
        raise WrongChecksum
    return file.tell()
