"""What the headers of PNG and JPEG XL files say, read without decoding: texts are skipped, whatever their size."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

Size = tuple[int, int]  # width and height in pixels

PNG = b"\x89PNG\r\n\x1a\n"
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
JXL_CODESTREAM = b"\xff\x0a"
JXL_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
JXL_HEADER_BYTES = 32  # more than its size and orientation take
JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
LYING = range(5, 9)  # the EXIF orientations that swap width and height


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, position, size) of each chunk of a PNG file; the size includes length, type and checksum."""
    position = len(PNG)
    file.seek(position)
    while len(head := file.read(8)) == 8:
        size = struct.unpack(">I", head[:4])[0] + 12
        yield head[4:], position, size
        position += size
        file.seek(position)


def without_png_texts(data: bytes) -> bytes:
    """A PNG's bytes without its texts, which can hold megabytes of a workflow and are refused by Pillow then."""
    if not data.startswith(PNG):
        return data
    chunks = list(png_chunks(io.BytesIO(data)))
    if not any(kind in PNG_TEXTS for kind, *_ in chunks):
        return data
    kept = [data[start : start + size] for kind, start, size in chunks if kind not in PNG_TEXTS]
    return PNG + b"".join(kept)


def png_size(file: BinaryIO) -> tuple[Size, bytes]:
    """(width and height, the EXIF data or none) of a PNG file. Raises struct.error if it has no header."""
    size, exif = (0, 0), b""
    for kind, position, length in png_chunks(file):
        if kind in (b"IHDR", b"eXIf"):
            file.seek(position + 8)
            content = file.read(length - 12)
            if kind == b"IHDR":
                size = struct.unpack(">II", content[:8])
            else:
                exif = content
    return size, exif


def is_jpeg_xl(data: bytes) -> bool:
    """True if the file begins as JPEG XL does."""
    return data.startswith((JXL_CODESTREAM, JXL_CONTAINER))


def jpeg_xl_size(file: BinaryIO) -> Size | None:
    """Upright width and height of a JPEG XL file, or None if it has no header (ISO/IEC 18181-1, annex D)."""
    codestream = _codestream(file)
    if not codestream.startswith(JXL_CODESTREAM):
        return None
    bits = _Bits(codestream[len(JXL_CODESTREAM) :])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    width = height * JXL_RATIOS[ratio - 1][0] // JXL_RATIOS[ratio - 1][1] if ratio else _side(bits, small)
    is_plain = bits.take(1) or not bits.take(1)
    lies = not is_plain and bits.take(3) + 1 in LYING
    return (height, width) if lies else (width, height)


class _Bits:
    """Bits of a JPEG XL header, the lowest bit of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self.rest & ((1 << count) - 1)
        self.rest >>= count
        return value


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


def _codestream(file: BinaryIO) -> bytes:
    """The first bytes of the codestream, in a container from its first box with a part of the codestream."""
    file.seek(0)
    if file.read(2) == JXL_CODESTREAM:
        file.seek(0)
        return file.read(JXL_HEADER_BYTES)
    position = 0
    while True:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return b""
        size, kind = struct.unpack(">I4s", head[:8])
        start = position + 8
        if size == 1:  # the true size follows
            size, start = int.from_bytes(head[8:16], "big"), position + 16
        if kind in (b"jxlc", b"jxlp"):
            file.seek(start + (4 if kind == b"jxlp" else 0))
            return file.read(JXL_HEADER_BYTES)
        if size < 8:
            return b""
        position += size
