"""A quick preview of a concept's folder: all names are counted, a few pictures are opened.

The trainer's own rules (engine/builtin/data/concepts.py) say which files are pictures and where their captions are.
Every file is checked, with links resolved, to be inside the allowed folders before it is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.data.pictures import is_picture
from engine.interface.json_types import JsonObject
from presets.folders.browse import UNUSABLE
from presets.folders.thumbnails import size_of
from web.allowed_paths import refusal
from web.errors import BadInput, NotFound
from web.natural import natural

MOST_FILES = 200_000
MOST_SHOWN = 8
SIZES_READ = 400
SIZES_SHARE = 0.2  # of settings.FOLDER_SECONDS
MOST_CAPTION_BYTES = 20_000
LONGEST_CAPTION = 500
SOURCES = ("sample", "concept", "filename")
MASK = "-masklabel.png"


@dataclass(frozen=True)
class Example:
    """A picture with the captions that it may be trained with; `missing` says why it has none."""

    path: str
    name: str
    caption: str = ""
    captions: int = 0
    missing: str = ""


@dataclass
class ConceptPreview:
    path: str
    pictures: int = 0
    captioned: int = 0
    masks: int = 0
    other_files: int = 0
    subfolders: int = 0
    complete: bool = True
    examples: list[Example] = field(default_factory=list)
    smallest: tuple[int, int] | None = None
    median: tuple[int, int] | None = None
    largest: tuple[int, int] | None = None
    sizes_read: int = 0
    note: str = ""

    @property
    def uncaptioned(self) -> int:
        return self.pictures - self.captioned


def preview(
    path: str, subfolders: bool = False, source: str = "sample", prompt_path: str = "", most_files: int = MOST_FILES
) -> ConceptPreview:
    """Preview the folder of a concept. Raises BadInput and NotFound, which say what to do."""
    if source not in SOURCES:
        sentence = f"must be one of {', '.join(SOURCES)}."
        raise BadInput(f"prompt_source {sentence}", {"prompt_source": [f"It {sentence}"]})
    folder = _checked(path)
    names = _Names(most_files)
    names.read(folder, subfolders)
    shown = ConceptPreview(
        path=path,
        pictures=len(names.pictures),
        masks=names.masks,
        other_files=names.others(),
        subfolders=names.subfolders,
        complete=names.complete,
    )
    lines, problem = _lines_of(prompt_path) if source == "concept" else ([], "")
    by_file = source == "sample"
    shown.captioned = names.captioned() if by_file else 0 if problem else shown.pictures
    first = sorted(names.pictures, key=lambda picture: natural(str(picture)))[:MOST_SHOWN]
    shown.examples = [_example(picture, folder, source, lines, problem) for picture in first]
    _add_sizes(shown, names.pictures)
    shown.note = " ".join(_notes(shown, names, problem, subfolders))
    return shown


def as_json(shown: ConceptPreview) -> JsonObject:
    """The preview as the API returns it."""
    return {**asdict(shown), "uncaptioned": shown.uncaptioned}


def _checked(path: str) -> Path:
    if not path:
        raise _bad(_("Choose the folder of the concept's pictures."))
    if sentence := refusal(path):
        raise _bad(sentence)
    try:
        real = Path(path).expanduser().resolve()
        if real.is_dir():
            return real
        is_file = real.exists()
    except OSError as error:
        raise _bad(_("%(path)s is not a usable path: type another path.") % {"path": path[:200]}) from error
    if is_file:
        raise _bad(_("%(path)s is a file: choose its folder.") % {"path": path[:200]})
    raise NotFound(
        _("The folder %(path)s does not exist: check the path, or choose another folder.") % {"path": path[:200]}
    )


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"path": [sentence]})


class _Names:
    """All names of a folder, sorted by kind; no file is opened."""

    def __init__(self, most_files: int) -> None:
        self.most_files = most_files
        self.pictures: list[Path] = []
        self.texts: set[str] = set()
        self.files = self.masks = self.subfolders = self.unnamable = self.closed = 0
        self.complete = True
        self.until = time.monotonic() + settings.FOLDER_SECONDS

    def read(self, folder: Path, deeper: bool) -> None:
        """Read the folder and its subfolders, not links to folders; raises BadInput only for the first folder."""
        waiting = [folder]
        while waiting and self.complete:
            here = waiting.pop()
            try:
                with os.scandir(here) as entries:
                    waiting += self._taken(entries, deeper)
            except OSError as error:
                if here == folder:
                    sentence = _("The site may not read %(folder)s (%(error)s): give it permission.") % {
                        "folder": folder,
                        "error": error.strerror,
                    }
                    raise _bad(sentence) from error
                self.closed += 1

    def _taken(self, entries: Iterator[os.DirEntry[str]], deeper: bool) -> list[Path]:
        """Sort the entries by kind; returns the subfolders to read."""
        subfolders = []
        for entry in entries:
            if self.files >= self.most_files or time.monotonic() > self.until:
                self.complete = False
                break
            if entry.is_dir(follow_symlinks=False):
                self.subfolders += not entry.name.startswith(".")
                if deeper:
                    subfolders.append(Path(entry.path))
            elif not entry.name.startswith(".") and entry.is_file():
                self._take(entry)
        return subfolders

    def _take(self, entry: os.DirEntry[str]) -> None:
        self.files += 1
        path = Path(entry.path)
        if UNUSABLE.search(entry.name):
            self.unnamable += 1
        elif is_picture(path):
            self.pictures.append(path)
        elif entry.name.lower().endswith(MASK):
            self.masks += 1
        elif path.suffix == ".txt":
            self.texts.add(entry.path)

    def captioned(self) -> int:
        return sum(str(one.with_suffix(".txt")) in self.texts for one in self.pictures)

    def others(self) -> int:
        """The number of files that are neither picture nor mask nor caption of a picture."""
        captions = {text for one in self.pictures if (text := str(one.with_suffix(".txt"))) in self.texts}
        return self.files - len(self.pictures) - self.masks - len(captions)


# -- captions ----------------------------------------------------------------------------------------------------------


def _example(picture: Path, folder: Path, source: str, lines: list[str], problem: str) -> Example:
    name = str(picture.relative_to(folder))
    if source == "filename":
        return Example(str(picture), name, picture.stem, 1)
    if source == "sample":
        lines, problem = _lines_of(str(picture.with_suffix(".txt")), "no caption yet")
    if problem:
        return Example(str(picture), name, missing=problem)
    return Example(str(picture), name, lines[0][:LONGEST_CAPTION], len(lines))


def _lines_of(path: str, absent: str = "") -> tuple[list[str], str]:
    """(the captions of a text file, or why there are none); only a part is read, so that no file can be too large."""
    if not path:
        return [], "choose the text file with the captions"
    if refusal(path):
        return [], "the captions' file is outside the allowed folders"
    try:
        real = Path(path).expanduser().resolve()
        if not real.is_file():
            return [], absent or f"the captions' file {path[:200]} does not exist: choose another file"
        with real.open("rb") as file:
            data = file.read(MOST_CAPTION_BYTES)
        text = data.decode("utf-8-sig", errors="strict" if len(data) < MOST_CAPTION_BYTES else "ignore")
    except UnicodeDecodeError:
        return [], "the captions are not UTF-8 text: save them as UTF-8"
    except OSError as error:
        return [], f"the captions cannot be read ({error.strerror})"
    return [line.strip() for line in text.splitlines() if line.strip()] or [""], ""


# -- sizes -------------------------------------------------------------------------------------------------------------


def _add_sizes(shown: ConceptPreview, pictures: list[Path]) -> None:
    """The smallest, median and largest size by pixels, from the headers of evenly spread pictures."""
    until = time.monotonic() + SIZES_SHARE * settings.FOLDER_SECONDS
    sizes = []
    step = max(1, len(pictures) // SIZES_READ)
    for picture in pictures[::step][:SIZES_READ]:
        if time.monotonic() > until:
            break
        if size := size_of(picture):
            sizes.append(size)
    if sizes:
        sizes.sort(key=lambda size: (size[0] * size[1], size))
        shown.sizes_read = len(sizes)
        shown.smallest, shown.median, shown.largest = sizes[0], sizes[len(sizes) // 2], sizes[-1]


def _notes(shown: ConceptPreview, names: _Names, problem: str, subfolders: bool) -> Iterator[str]:
    if not shown.complete:
        yield _("There are too many files to count: the numbers are those of the first %(files)s files.") % {
            "files": f"{names.files:,}"
        }
    if not shown.pictures:
        below = shown.subfolders and not subfolders
        yield _("There are no pictures in this folder:  ") + (
            "turn on “include subfolders”, or choose a subfolder."
            if below
            else "add pictures, or choose another folder."
        )
    elif problem:
        yield f"{problem[:1].upper()}{problem[1:]}."
    if names.unnamable:
        yield _("%(unnamable)s left out, since their names are not UTF-8: rename them.") % {
            "unnamable": names.unnamable
        }
    if names.closed:
        yield _("The site may not read %(closed)s of the subfolders: give it permission.") % {"closed": names.closed}
