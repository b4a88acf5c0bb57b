"""Facts about a folder of pictures, quick enough for a page: all pictures are counted, a few are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from django.utils.translation import gettext as _
from PIL import Image

from engine.builtin.data.pictures import is_picture
from training.wizard.training_plan import Pictures
from web.allowed_paths import refusal
from web.errors import BadInput

T = TypeVar("T")
FEWEST = 4
MOST_FILES = 100_000
SIZES_READ = 200
CAPTIONS_READ = 24
SWAPPED = range(5, 9)  # the EXIF orientations that swap width and height
ORIENTATION = 0x0112


def look_at(folder: str, subfolders: bool = False) -> Pictures:
    """Count the pictures of the folder; with its subfolders if it has no pictures itself. Raises BadInput."""
    path = _checked(folder)
    pictures, captions = _listed(path, subfolders)
    if not pictures and not subfolders:
        subfolders = True
        pictures, captions = _listed(path, subfolders)
    _refuse_too_few(path, len(pictures))
    captioned = [picture for picture in pictures if str(picture.with_suffix(".txt")) in captions]
    return Pictures(
        folder=str(path),
        count=len(pictures),
        captioned=len(captioned),
        sizes=tuple(size for picture in _spread(pictures, SIZES_READ) if (size := _size(picture))),
        captions=tuple(text for picture in _spread(captioned, CAPTIONS_READ) if (text := _caption(picture))),
        subfolders=subfolders,
    )


def _checked(folder: str) -> Path:
    if not folder:
        raise _bad(_("Enter the folder with your pictures."))
    if sentence := refusal(folder):
        raise _bad(sentence)
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        kind = "is a file: enter its folder." if path.exists() else "does not exist: check its spelling."
        raise _bad(f"{folder[:200]} {kind}")
    return path


def _refuse_too_few(path: Path, count: int) -> None:
    if not count:
        raise _bad(_("%(path)s has no pictures: add some, as PNG, JPEG or WebP.") % {"path": path})
    if count < FEWEST:
        pictures = "1 picture" if count == 1 else f"{count} pictures"
        raise _bad(
            _("%(path)s has %(pictures)s, too few to train on: use at least %(fewest)s, better 10 to 30.")
            % {"pictures": pictures, "path": path, "fewest": FEWEST}
        )


def _listed(path: Path, subfolders: bool) -> tuple[list[Path], set[str]]:
    """The pictures, and the paths of all text files. Raises BadInput if the folder cannot be read."""
    pictures, texts = [], set()
    try:
        for file in _files(path, subfolders):
            if is_picture(file):
                pictures.append(file)
            elif file.suffix == ".txt":
                texts.add(str(file))
            if len(pictures) + len(texts) > MOST_FILES:
                raise _bad(
                    _("%(path)s has more than %(most_files)s files: enter one of its subfolders.")
                    % {"most_files": f"{MOST_FILES:,}", "path": path}
                )
    except OSError as error:
        raise _bad(
            _("%(path)s cannot be read (%(error)s): allow the site to read it, or enter another folder.")
            % {"path": path, "error": error.strerror}
        ) from error
    return sorted(pictures), texts


def _files(path: Path, subfolders: bool) -> Iterator[Path]:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_file() and not (entry.is_symlink() and refusal(entry.path)):
                yield Path(entry.path)
            elif subfolders and entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _files(Path(entry.path), subfolders)


def _spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most this number of items, evenly spread."""
    return items if len(items) <= most else [items[index * len(items) // most] for index in range(most)]


def _size(path: Path) -> tuple[int, int] | None:
    """Upright width and height; None if the picture cannot be read: the preflight reports it in full."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return (height, width) if picture.getexif().get(ORIENTATION) in SWAPPED else (width, height)
    except Exception:  # Pillow's readers raise any exception on broken files
        return None


def _caption(path: Path) -> str:
    """The first line of the picture's text file."""
    try:
        lines = path.with_suffix(".txt").read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.strip() for line in lines if line.strip()), "")


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"folder": [sentence]})
