"""Looking at a folder of pictures, as quickly as a page needs it: counted all, and read a few."""

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
LYING = range(5, 9)  # the EXIF orientations that swap width and height
ORIENTATION = 0x0112


def look_at(folder: str, subfolders: bool = False) -> Pictures:
    """What lies in the folder; in its subfolders too where it holds none itself. Raises BadInput, with the cure."""
    path = _checked(folder)
    found, captions = _listed(path, subfolders)
    if not found and not subfolders:
        subfolders = True
        found, captions = _listed(path, subfolders)
    _refuse_too_few(path, len(found))
    captioned = [one for one in found if str(one.with_suffix(".txt")) in captions]
    return Pictures(
        folder=str(path),
        count=len(found),
        captioned=len(captioned),
        sizes=tuple(size for one in _spread(found, SIZES_READ) if (size := _size(one))),
        captions=tuple(text for one in _spread(captioned, CAPTIONS_READ) if (text := _caption(one))),
        subfolders=subfolders,
    )


def _checked(folder: str) -> Path:
    if not folder:
        raise _bad(_("Name the folder that your pictures lie in."))
    if sentence := refusal(folder):
        raise _bad(sentence)
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        kind = "is a file: name the folder that it lies in." if path.exists() else "is not there: check its spelling."
        raise _bad(f"{folder[:200]} {kind}")
    return path


def _refuse_too_few(path: Path, count: int) -> None:
    if not count:
        raise _bad(_("There are no pictures in %(path)s: put some there, as PNG, JPEG or WebP.") % {"path": path})
    if count < FEWEST:
        are = "is 1 picture" if count == 1 else f"are {count} pictures"
        raise _bad(
            _("There %(are)s in %(path)s, which is too few to learn from: have at least %(fewest)s, better 10 to 30.")
            % {"are": are, "path": path, "fewest": FEWEST}
        )


def _listed(path: Path, subfolders: bool) -> tuple[list[Path], set[str]]:
    """The pictures, and the names of the text files beside them; raises BadInput for a folder that may not be read."""
    pictures, texts = [], set()
    try:
        for file in _files(path, subfolders):
            if is_picture(file):
                pictures.append(file)
            elif file.suffix == ".txt":
                texts.add(str(file))
            if len(pictures) + len(texts) > MOST_FILES:
                raise _bad(
                    _("There are more than %(most_files)s files in %(path)s: name a folder within it.")
                    % {"most_files": f"{MOST_FILES:,}", "path": path}
                )
    except OSError as error:
        raise _bad(
            _("%(path)s cannot be read (%(error)s): let the site read it, or name another.")
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
    """Some of them, evenly spread."""
    return items if len(items) <= most else [items[index * len(items) // most] for index in range(most)]


def _size(path: Path) -> tuple[int, int] | None:
    """Upright width and height; None where that cannot be read, which the check before the start tells in full."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return (height, width) if picture.getexif().get(ORIENTATION) in LYING else (width, height)
    except Exception:  # Pillow's readers raise what they like on broken files
        return None


def _caption(path: Path) -> str:
    """The first line of its text file."""
    try:
        lines = path.with_suffix(".txt").read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.strip() for line in lines if line.strip()), "")


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"folder": [sentence]})
