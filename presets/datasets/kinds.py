"""What a sent file is, by its name and its first bytes, and what becomes of it. Nothing is decoded."""

from __future__ import annotations

from enum import Enum
from pathlib import Path, PurePosixPath

from django.utils.translation import gettext as _

from engine.builtin.reading.formats import SUFFIXES, has_picture_name, is_label
from engine.builtin.reading.headers import is_jpeg_xl
from presets.datasets.files import MASK_ENDING

MOST_PICTURE_BYTES = 200_000_000
MOST_ARCHIVE_BYTES = 20_000_000_000
MOST_TEXT_BYTES = 1_000_000
TEXTS = (".txt", ".caption")
HEAD_BYTES = 64
# Contents that every trainer reads as they are, with the endings that they may have.
PLAIN = {"jpeg": (".jpg", ".jpeg"), "png": (".png",), "webp": (".webp",), "bmp": (".bmp",)}
# Contents that some trainers do not read, and the ending of the picture that they become.
CONVERTED = {"heif": ".jpg", "avif": ".jpg", "jxl": ".png", "tiff": ".png", "gif": ".png"}
BRANDS = {b"avif": "avif", b"avis": "avif"}  # of the ISO base media format; others are HEIF's
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class Kind(Enum):
    PICTURE = "picture"
    MASK = "mask"
    TEXT = "text"
    ARCHIVE = "archive"
    OTHER = "other"


def kind_of(filename: str) -> Kind:
    """The kind that a name promises."""
    path = PurePosixPath(filename.replace("\\", "/"))
    if is_label(path):
        return Kind.MASK if path.stem.lower().endswith(MASK_ENDING.removesuffix(".png")) else Kind.OTHER
    if has_picture_name(path):
        return Kind.PICTURE
    suffix = path.suffix.lower()
    return Kind.TEXT if suffix in TEXTS else Kind.ARCHIVE if suffix == ".zip" else Kind.OTHER


def why_refused(filename: str, size: int) -> str:
    """A sentence if a file of this name and size is not taken at all; else empty."""
    kind = kind_of(filename)
    if kind is Kind.OTHER:
        return _("It is not a picture (%(endings)s), a caption (.txt) or a zip file: leave it out.") % {
            "endings": ", ".join(sorted(SUFFIXES))
        }
    most = {Kind.ARCHIVE: MOST_ARCHIVE_BYTES, Kind.TEXT: MOST_TEXT_BYTES}.get(kind, MOST_PICTURE_BYTES)
    if size > most:
        return _("It has %(size)s MB, and at most %(most)s MB are taken: make it smaller.") % {
            "size": f"{size / 1e6:,.0f}",
            "most": f"{most / 1e6:,.0f}",
        }
    return _("It is empty.") if not size and kind is not Kind.TEXT else ""


def content_of(path: Path) -> str:
    """The name of the picture format that the first bytes show, or empty. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_jpeg_xl(head):
        return "jxl"
    if head[4:8] == b"ftyp":
        brands = (head[8:12], *(head[start : start + 4] for start in range(16, HEAD_BYTES, 4)))
        found = next((BRANDS[brand] for brand in brands if brand in BRANDS), "")
        return found or ("heif" if any(brand in HEIF_BRANDS for brand in brands) else "")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    starts = {
        b"\xff\xd8\xff": "jpeg",
        b"\x89PNG\r\n\x1a\n": "png",
        b"BM": "bmp",
        b"GIF8": "gif",
        b"II*\x00": "tiff",
        b"MM\x00*": "tiff",
    }
    return next((name for start, name in starts.items() if head.startswith(start)), "")


def stored_suffix(suffix: str, content: str) -> str:
    """The ending under which a plain content is stored; a wrong one is replaced, since some trainers go by it."""
    return suffix if suffix.lower() in PLAIN[content] else PLAIN[content][0]
