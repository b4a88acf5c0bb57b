"""What a concept's folder holds, as quickly as a page needs it: all names are counted, a few pictures are opened.

What counts as a picture, and where its captions are, is the trainer's own rule
(engine/builtin/data/concepts.py). Every file that is opened is checked to lie in the allowed folders after its links
are followed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from engine.builtin.data.pictures import is_picture
from presets.folders.browse import UNUSABLE
from presets.folders.thumbnails import size_of
from web.allowed_paths import refusal
from web.errors import BadInput, NotFound
from web.natural import natural

MOST_FILES = 200_000
COUNTING_SECONDS = 2.0
MOST_SHOWN = 8
SIZES_READ = 400
SIZES_SECONDS = 0.4
MOST_CAPTION_BYTES = 20_000
LONGEST_CAPTION = 500
SOURCES = ("sample", "concept", "filename")
MASK = "-masklabel.png"


@dataclass(frozen=True)
class Example:
    """A picture with the captions that it may be trained with; `missing` says why there is none."""

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


def preview(path: str, subfolders: bool = False, source: str = "sample", prompt_path: str = "") -> ConceptPreview:
    """Look at the folder of a concept. Raises BadInput and NotFound, with the cure."""
    if source not in SOURCES:
        sentence = f"is one of {', '.join(SOURCES)}."
        raise BadInput(f"prompt_source {sentence}", {"prompt_source": [f"It {sentence}"]})
    folder = _checked(path)
    found = _Names()
    found.read(folder, subfolders)
    made = ConceptPreview(
        path=path,
        pictures=len(found.pictures),
        masks=found.masks,
        other_files=found.others(),
        subfolders=found.subfolders,
        complete=found.complete,
    )
    lines, problem = _lines_of(prompt_path) if source == "concept" else ([], "")
    by_file = source == "sample"
    made.captioned = found.captioned() if by_file else 0 if problem else made.pictures
    first = sorted(found.pictures, key=lambda one: natural(str(one)))[:MOST_SHOWN]
    made.examples = [_example(one, folder, source, lines, problem) for one in first]
    _add_sizes(made, found.pictures)
    made.note = " ".join(_notes(made, found, problem, subfolders))
    return made


def as_json(shown: ConceptPreview) -> dict[str, Any]:
    """As the API tells it."""
    return {**asdict(shown), "uncaptioned": shown.uncaptioned}


def _checked(path: str) -> Path:
    if not path:
        raise _bad(_("Choose the folder that the concept's pictures lie in."))
    if sentence := refusal(path):
        raise _bad(sentence)
    try:
        real = Path(path).expanduser().resolve()
        if real.is_dir():
            return real
        is_file = real.exists()
    except OSError as error:
        raise _bad(_("%(path)s is no usable path: name another.") % {"path": path[:200]}) from error
    if is_file:
        raise _bad(_("%(path)s is a file: choose the folder that it lies in.") % {"path": path[:200]})
    raise NotFound(_("The folder %(path)s is not there: check its spelling, or choose another.") % {"path": path[:200]})


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"path": [sentence]})


class _Names:
    """All names of a folder, sorted into what they are; nothing is opened."""

    def __init__(self) -> None:
        self.pictures: list[Path] = []
        self.texts: set[str] = set()
        self.files = self.masks = self.subfolders = self.unnamable = self.closed = 0
        self.complete = True
        self.until = time.monotonic() + COUNTING_SECONDS

    def read(self, folder: Path, deeper: bool) -> None:
        """Read the folder, and those below it, without following links to folders; raises BadInput for the first."""
        waiting = [folder]
        while waiting and self.complete:
            here = waiting.pop()
            try:
                with os.scandir(here) as entries:
                    waiting += self._taken(entries, deeper)
            except OSError as error:
                if here == folder:
                    sentence = _("%(folder)s may not be read by the site (%(error)s): give it the right to.") % {
                        "folder": folder,
                        "error": error.strerror,
                    }
                    raise _bad(sentence) from error
                self.closed += 1

    def _taken(self, entries: Iterator[os.DirEntry[str]], deeper: bool) -> list[Path]:
        """Sort the entries in; returns the folders to look into."""
        found = []
        for entry in entries:
            if self.files >= MOST_FILES or time.monotonic() > self.until:
                self.complete = False
                break
            if entry.is_dir(follow_symlinks=False):
                self.subfolders += not entry.name.startswith(".")
                if deeper:
                    found.append(Path(entry.path))
            elif not entry.name.startswith(".") and entry.is_file():
                self._take(entry)
        return found

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
        """Files that are neither picture nor mask nor the caption of a picture."""
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
    """(the captions of a text file, or why there are none): read in part, so that no file can be too large."""
    if not path:
        return [], "choose the text file with the captions"
    if refusal(path):
        return [], "its captions lie outside the allowed folders"
    try:
        real = Path(path).expanduser().resolve()
        if not real.is_file():
            return [], absent or f"the captions' file {path[:200]} is not there: choose another"
        with real.open("rb") as file:
            data = file.read(MOST_CAPTION_BYTES)
        text = data.decode("utf-8-sig", errors="strict" if len(data) < MOST_CAPTION_BYTES else "ignore")
    except UnicodeDecodeError:
        return [], "its captions are no UTF-8 text: save them as UTF-8"
    except OSError as error:
        return [], f"its captions cannot be read ({error.strerror})"
    return [line.strip() for line in text.splitlines() if line.strip()] or [""], ""


# -- sizes -------------------------------------------------------------------------------------------------------------


def _add_sizes(made: ConceptPreview, pictures: list[Path]) -> None:
    """The least, middle and largest by pixels, from the headers of some pictures spread over all."""
    until = time.monotonic() + SIZES_SECONDS
    sizes = []
    step = max(1, len(pictures) // SIZES_READ)
    for one in pictures[::step][:SIZES_READ]:
        if time.monotonic() > until:
            break
        if size := size_of(one):
            sizes.append(size)
    if sizes:
        sizes.sort(key=lambda size: (size[0] * size[1], size))
        made.sizes_read = len(sizes)
        made.smallest, made.median, made.largest = sizes[0], sizes[len(sizes) // 2], sizes[-1]


def _notes(made: ConceptPreview, found: _Names, problem: str, subfolders: bool) -> Iterator[str]:
    if not made.complete:
        yield _("There is more than could be counted at once: the numbers are of the first %(files)s files.") % {
            "files": f"{found.files:,}"
        }
    if not made.pictures:
        below = made.subfolders and not subfolders
        yield _("There are no pictures in here: ") + (
            "turn on “include subfolders”, or choose one of them." if below else "put some there, or choose another."
        )
    elif problem:
        yield f"{problem[:1].upper()}{problem[1:]}."
    if found.unnamable:
        yield _("%(unnamable)s left out, since their names are no UTF-8: rename them.") % {"unnamable": found.unnamable}
    if found.closed:
        yield _("%(closed)s of the subfolders may not be read by the site: give it the right to.") % {
            "closed": found.closed
        }
