"""Thumbnails of a concept's pictures: made once, kept in the cache folder, and limited in number."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image

from engine.builtin.reading.decoding import READING, decoded
from engine.builtin.reading.formats import UnreadablePicture, is_picture, upright_size
from engine.paths.policy import Purpose, Refused
from web.errors import BadInput, NotFound
from web.limits.table import limit
from web.paths import site
from web.paths.site import judge, sentence

logger = logging.getLogger(__name__)
EDGE = 256
MOST_KEPT = 4_000
MOST_AT_ONCE = 2  # a decoder may need hundreds of MB
JPEG = b"\xff\xd8\xff"

decoding = threading.BoundedSemaphore(MOST_AT_ONCE)


def folder() -> Path:
    return settings.DATA_DIR / "cache" / "thumbnails"


def thumbnail(path: str, most_kept: int = MOST_KEPT, purpose: Purpose = Purpose.READ_PICTURES) -> Path:
    """The file of a picture's thumbnail. Raises BadInput and NotFound, with the reason."""
    picture = _checked(path, purpose)
    try:
        with opened(picture, purpose) as file:
            facts = os.fstat(file.fileno())
            key = f"{picture}\0{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_ino}\0{EDGE}\0{READING}"
            kept = folder() / f"{hashlib.sha256(os.fsencode(key)).hexdigest()}.webp"
            if not kept.is_file():
                if facts.st_size > limit("PICTURE_BYTES"):
                    raise BadInput(
                        _("%(picture)s has %(st_size)s MB, which is too large to show.")
                        % {"picture": picture.name, "st_size": facts.st_size // 1_000_000}
                    )
                with decoding:
                    keep(small_picture(file, picture.name, EDGE), kept)
                _make_room(kept.parent, most_kept)
            return kept
    except OSError as error:
        raise NotFound(
            _("%(picture)s cannot be read (%(strerror)s): check its permissions.")
            % {"picture": picture.name, "strerror": error.strerror or error}
        ) from error


def _checked(path: str, purpose: Purpose) -> Path:
    """The picture's path with links resolved; nothing is revealed about files outside the allowed folders."""
    try:
        real = Path(judge(path, purpose).real)
    except Refused as refused:
        raise BadInput(sentence(refused), {"path": [sentence(refused)]}) from refused
    if not is_picture(real):
        text = _("This is not a picture to train on: choose a file such as PNG, JPEG, WebP, AVIF, HEIC or JPEG XL.")
        raise BadInput(text, {"path": [text]})
    return real


def opened(picture: Path, purpose: Purpose) -> BinaryIO:
    """The regular file, opened for reading; a pipe is refused, since reading it would never end. Raises NotFound."""
    try:
        return site.opened(picture, purpose)
    except Refused as refused:
        raise NotFound(
            _("%(picture)s is not a regular file: choose another file.") % {"picture": picture.name}
        ) from refused


def small_picture(file: BinaryIO, name: str, edge: int) -> Image.Image:
    """The pixels that the trainer reads, at most `edge` wide and high. Raises BadInput."""
    try:
        width, height = upright_size(file)
        file.seek(0)
        data = file.read(limit("PICTURE_BYTES"))
        if not data.startswith(JPEG) and width * height > limit("PICTURE_PIXELS"):
            raise BadInput(
                _("%(name)s has %(width)s × %(height)s pixels, which is too many to show.")
                % {"name": name, "width": width, "height": height}
            )
        picture = decoded(data, at_least=2 * edge).picture
        picture.thumbnail((edge, edge), Image.Resampling.BICUBIC)
        return picture
    except BadInput:
        raise
    except UnreadablePicture as error:
        raise BadInput(
            _("%(name)s cannot be decoded as a picture, because %(reason)s: replace or remove it.")
            % {"name": name, "reason": error}
        ) from error
    # Decoders raise any exception on broken headers: SyntaxError, EOFError, struct.error and more.
    except Exception as error:
        raise BadInput(_("%(name)s cannot be decoded as a picture: replace or remove it.") % {"name": name}) from error


def keep(picture: Image.Image, kept: Path) -> None:
    """Write a temporary file and rename it, so that no half thumbnail is ever shown."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_name(f".{kept.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        picture.save(beside, "WEBP", quality=80, method=2)
        beside.replace(kept)
    finally:
        beside.unlink(missing_ok=True)


def _make_room(kept: Path, most: int) -> None:
    """Delete the oldest eighth if there are too many."""
    with os.scandir(kept) as entries:
        names = [entry.path for entry in entries]
    if len(names) <= most:
        return
    ages = []
    for name in names:
        with suppress(FileNotFoundError):  # another process frees space too
            ages.append((Path(name).stat().st_mtime, name))
    for _age, name in sorted(ages)[: len(names) - most * 7 // 8]:
        Path(name).unlink(missing_ok=True)


def size_of(path: Path) -> tuple[int, int] | None:
    """Upright width and height from a picture's header; None if the header cannot or may not be read."""
    try:
        with opened(path, Purpose.READ_PICTURES) as file:
            return upright_size(file)
    except Exception:  # broken headers raise any exception; the check before the start reports them in full
        return None
