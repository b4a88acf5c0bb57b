"""Facts about a folder of pictures, quick enough for a page: all pictures are counted, a few are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from django.utils.translation import gettext as _

from engine.builtin.reading.captions import Captions
from engine.builtin.reading.scan import BUILTIN, Scan, scan
from engine.paths.here import reading_by
from engine.paths.policy import Purpose
from presets.folders.thumbnails import size_of
from training.wizard.training_plan import Pictures
from web.errors import BadInput
from web.paths.site import judge, policy, refusal

T = TypeVar("T")
FEWEST = 4
MOST_FILES = 100_000
SIZES_READ = 200
CAPTIONS_READ = 24


def look_at(folder: str, subfolders: bool = False) -> Pictures:
    """Count the pictures of the folder; with its subfolders if it has no pictures itself. Raises BadInput."""
    path = _checked(folder)
    with reading_by(policy()):
        return _facts_of(path, subfolders)


def _facts_of(path: Path, subfolders: bool) -> Pictures:
    found = _scanned(path, subfolders)
    if not found.pictures and not subfolders:
        subfolders = True
        found = _scanned(path, subfolders)
    pictures, captions = found.pictures, Captions(found, BUILTIN)
    _refuse_too_few(path, len(pictures))
    captioned = [picture for picture in pictures if captions.has(picture)]
    return Pictures(
        folder=str(path),
        count=len(pictures),
        captioned=len(captioned),
        sizes=tuple(size for picture in _spread(pictures, SIZES_READ) if (size := size_of(picture))),
        captions=tuple(text for picture in _spread(captioned, CAPTIONS_READ) if (text := _caption(picture, captions))),
        subfolders=subfolders,
    )


def _checked(folder: str) -> Path:
    if not folder:
        raise _bad(_("Enter the folder with your pictures."))
    if sentence := refusal(folder, Purpose.READ_PICTURES):
        raise _bad(sentence)
    path = Path(judge(folder, Purpose.READ_PICTURES).real)
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


def _scanned(path: Path, subfolders: bool) -> Scan:
    """The folder as the trainer reads it. Raises BadInput if it cannot be read, or has too many files."""
    try:
        found = scan(
            path,
            subfolders,
            keep_going=lambda files: files <= MOST_FILES,
        )
    except OSError as error:
        raise _bad(
            _("%(path)s cannot be read (%(error)s): allow the site to read it, or enter another folder.")
            % {"path": path, "error": error.strerror}
        ) from error
    if not found.complete:
        raise _bad(
            _("%(path)s has more than %(most_files)s files: enter one of its subfolders.")
            % {"most_files": f"{MOST_FILES:,}", "path": path}
        )
    return found


def _spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most this number of items, evenly spread."""
    return items if len(items) <= most else [items[index * len(items) // most] for index in range(most)]


def _caption(picture: Path, captions: Captions) -> str:
    """The first of the picture's captions."""
    try:
        return captions.of(picture).captions[0]
    except OSError:  # the preflight reports it
        return ""


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"folder": [sentence]})
