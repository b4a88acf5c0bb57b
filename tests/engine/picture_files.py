"""Picture files of all kinds as bytes, made without any tool."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageCms

from engine.builtin.reading import formats  # noqa: F401  its import adds HEIC and JPEG XL to Pillow

ORIENTATION = 0x0112


def file_of(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The picture as a file of this kind."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, color_type: int, rows: list[bytes], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these rows, with additional chunks before its pixels."""
    head = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def srgb() -> bytes:
    """The profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def red_is_green() -> bytes:
    """A colour profile whose red is sRGB's green, and whose green is sRGB's red."""
    profile = srgb()
    red, green = _tag(profile, b"rXYZ"), _tag(profile, b"gXYZ")
    changed = bytearray(profile)
    changed[red : red + 20], changed[green : green + 20] = profile[green : green + 20], profile[red : red + 20]
    return bytes(changed)


def linear_grey() -> bytes:
    """A colour profile for grey whose values are linear light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)  # D50, in 1/65536
    curve = b"curv" + bytes(8)  # no entries: linear
    head = b"GRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + white[8:]
    table = struct.pack(">I", 2) + struct.pack(">4sII4sII", b"wtpt", 156, 20, b"kTRC", 176, 12)
    body = struct.pack(">4sI4s", b"\0\0\0\0", 0x02100000, b"mntr") + head
    content = body.ljust(124, b"\0") + table + white + curve
    return struct.pack(">I", len(content) + 4) + content


def _tag(profile: bytes, name: bytes) -> int:
    """The place of a tag's content in an ICC profile."""
    count = int.from_bytes(profile[128:132], "big")
    table = (struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count))
    return next(offset for tag, offset, _size in table if tag == name)
