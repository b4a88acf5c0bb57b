"""The picture formats that are read, and their libraries. No torch."""

from __future__ import annotations

import io
import warnings
from pathlib import PurePath
from typing import BinaryIO

import pillow_heif
import pillow_jxl  # noqa: F401  its import adds JPEG XL to Pillow
from PIL import Image, PngImagePlugin

from engine.builtin.reading.headers import LYING, PNG, Size, is_jpeg_xl, jpeg_xl_size, png_size, without_png_texts

pillow_heif.register_heif_opener()

# By ending; the content decides how a file is decoded, so that a WebP file named .jpg is read too.
ONETRAINER_SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
SUFFIXES = ONETRAINER_SUFFIXES | {".apng", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jxl"}
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JXL", "PNG", "TIFF", "WEBP")  # none starts another program
LABEL_ENDINGS = ("-masklabel", "-condlabel")  # of files beside a picture with its mask, or a picture for conditioning
ORIENTATION = 0x0112  # the EXIF tag
MOST_PROFILE_BYTES = 64 * 1024**2

# Pillow applies its limit for texts, 1 MB, to a PNG's colour profile too; those of scanners are larger.
PngImagePlugin.MAX_TEXT_CHUNK = MOST_PROFILE_BYTES
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # pictures beyond its limit are refused


class UnreadablePicture(ValueError):
    """A file is not a picture that can be decoded; the message says why."""


def has_picture_name(path: PurePath) -> bool:
    """True if the ending is that of a picture; also for masks and hidden files."""
    return path.suffix.lower() in SUFFIXES


def is_label(path: PurePath) -> bool:
    """True if the name is that of a mask or a conditioning picture of another picture."""
    return has_picture_name(path) and path.stem.lower().endswith(LABEL_ENDINGS)


def is_picture(path: PurePath) -> bool:
    """True if the name is that of a training picture."""
    return has_picture_name(path) and not is_label(path) and not path.name.startswith(".")


def opened_picture(data: bytes) -> Image.Image:
    """A file's bytes as a picture that is not decoded yet. Raises UnreadablePicture, and any error of a decoder."""
    if is_jpeg_xl(data):  # its library decodes at once, before the number of pixels is known to Pillow
        refuse_too_large(*(jpeg_xl_size(io.BytesIO(data)) or (0, 0)))
    return open_limited(io.BytesIO(without_png_texts(data)))


def open_limited(file: BinaryIO) -> Image.Image:
    """Open a picture of one of FORMATS. Raises UnreadablePicture, and any error of a decoder."""
    try:
        picture = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(f"it has too many pixels: at most {most_pixels():,} are read") from error
    refuse_too_large(*picture.size)
    return picture


def upright_size(file: BinaryIO) -> Size:
    """Upright width and height from a file's header. Raises UnreadablePicture, and any error of a decoder."""
    head = file.read(16)
    if is_jpeg_xl(head):
        return jpeg_xl_size(file) or (0, 0)
    if head.startswith(PNG):
        (width, height), exif = png_size(file)
        orientation = _orientation_in(exif)
    else:
        file.seek(0)
        picture = open_limited(file)
        width, height = picture.size
        orientation = None if picture.format == "TIFF" else picture.getexif().get(ORIENTATION)  # its size is upright
    return (height, width) if orientation in LYING else (width, height)


def _orientation_in(exif: bytes) -> int | None:
    facts = Image.Exif()
    facts.load(exif)
    return facts.get(ORIENTATION)


def most_pixels() -> int:
    """The number of pixels from which Pillow refuses a picture."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 0)


def refuse_too_large(width: int, height: int) -> None:
    """Raises UnreadablePicture for more pixels than Pillow decodes."""
    if width * height > most_pixels():
        raise UnreadablePicture(f"it has too many pixels, {width} x {height}: at most {most_pixels():,} are read")
