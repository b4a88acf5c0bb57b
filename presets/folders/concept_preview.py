"""A quick preview of a concept's folder: all names are counted, a few pictures are opened.

The trainer's own scan (engine/builtin/reading/scan.py) says which files are pictures and where their captions are, but
follows no link that leads outside the allowed folders.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.reading.captions import Caption, Captions, read_lines
from engine.builtin.reading.scan import BUILTIN, NOT_INCLUDED, ONETRAINER, Reader, Scan, scan
from engine.interface.json_types import JsonObject
from engine.paths.here import reading_by
from engine.paths.policy import Purpose, Refused
from presets.folders.thumbnails import size_of
from web.errors import BadInput, NotFound
from web.natural import natural
from web.paths.site import judge, policy, sentence

MOST_FILES = 200_000
MOST_SHOWN = 8
SIZES_READ = 400
SIZES_SHARE = 0.2  # of settings.FOLDER_SECONDS
LONGEST_CAPTION = 500
CAPTIONS = (".txt", ".caption")  # of a file for all pictures
SOURCES = ("sample", "concept", "filename")


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
    path: str,
    subfolders: bool = False,
    source: str = "sample",
    prompt_path: str = "",
    engine: str = "builtin",
    most_files: int = MOST_FILES,
) -> ConceptPreview:
    """Preview the folder of a concept. Raises BadInput and NotFound, which say what to do."""
    if source not in SOURCES:
        choices = f"must be one of {', '.join(SOURCES)}."
        raise BadInput(f"prompt_source {choices}", {"prompt_source": [f"It {choices}"]})
    with reading_by(policy()):
        return _previewed(path, subfolders, source, prompt_path, engine, most_files)


def _previewed(
    path: str, subfolders: bool, source: str, prompt_path: str, engine: str, most_files: int
) -> ConceptPreview:
    folder = _checked(path)
    reader = ONETRAINER if engine == "onetrainer" else BUILTIN
    found = _scanned(folder, subfolders, reader, most_files)
    shown = ConceptPreview(
        path=path,
        pictures=len(found.pictures),
        masks=len(found.labels),
        subfolders=found.subfolders,
        complete=found.complete,
    )
    captions = Captions(found, reader)
    lines, problem = _lines_of(prompt_path) if source == "concept" else ((), "")
    by_file = source == "sample"
    captioned = [picture for picture in found.pictures if captions.has(picture)]
    shown.captioned = len(captioned) if by_file else 0 if problem else shown.pictures
    shown.other_files = found.files - shown.pictures - shown.masks - len(found.texts) + len(captions.unused())
    first = sorted(found.pictures, key=lambda picture: natural(str(picture)))[:MOST_SHOWN]
    shown.examples = [_example(picture, folder, source, captions, lines, problem) for picture in first]
    _add_sizes(shown, found.pictures)
    shown.note = " ".join(_notes(shown, found, problem, subfolders))
    return shown


def as_json(shown: ConceptPreview) -> JsonObject:
    """The preview as the API returns it."""
    return {**asdict(shown), "uncaptioned": shown.uncaptioned}


def _checked(path: str) -> Path:
    if not path:
        raise _bad(_("Choose the folder of the concept's pictures."))
    try:
        real = Path(judge(path, Purpose.READ_PICTURES).real)
        if real.is_dir():
            return real
        is_file = real.exists()
    except Refused as refused:
        raise _bad(sentence(refused)) from refused
    except OSError as error:
        raise _bad(_("%(path)s is not a usable path: type another path.") % {"path": path[:200]}) from error
    if is_file:
        raise _bad(_("%(path)s is a file: choose its folder.") % {"path": path[:200]})
    raise NotFound(
        _("The folder %(path)s does not exist: check the path, or choose another folder.") % {"path": path[:200]}
    )


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"path": [sentence]})


def _scanned(folder: Path, subfolders: bool, reader: Reader, most_files: int) -> Scan:
    """The folder as the trainer reads it, in bounded time, without what links show of places outside."""
    until = time.monotonic() + settings.FOLDER_SECONDS
    try:
        return scan(
            folder,
            subfolders,
            reader,
            keep_going=lambda files: files < most_files and time.monotonic() <= until,
        )
    except OSError as error:
        text = _("The site may not read %(folder)s (%(error)s): give it permission.") % {
            "folder": folder,
            "error": error.strerror,
        }
        raise _bad(text) from error


# -- captions ----------------------------------------------------------------------------------------------------------


def _example(
    picture: Path, folder: Path, source: str, captions: Captions, lines: tuple[str, ...], problem: str
) -> Example:
    name = str(picture.relative_to(folder))
    if source == "filename":
        return Example(str(picture), name, picture.stem, 1)
    if source == "sample":
        lines, problem = _lines_beside(picture, captions)
    if problem:
        return Example(str(picture), name, missing=problem)
    return Example(str(picture), name, lines[0][:LONGEST_CAPTION], len(lines))


def _lines_beside(picture: Path, captions: Captions) -> tuple[tuple[str, ...], str]:
    """(a picture's captions, or why there are none)."""
    try:
        caption = captions.of(picture)
    except OSError as error:
        return (), _("the captions cannot be read (%(error)s)") % {"error": error.strerror}
    if caption.file is None:
        return (), _("no caption yet")
    return caption.captions, _why_not(caption)


def _lines_of(path: str) -> tuple[tuple[str, ...], str]:
    """(the captions of a concept's text file, or why there are none)."""
    if not path:
        return (), _("choose the text file with the captions")
    if not path.lower().endswith(CAPTIONS):
        return (), _("the captions' file must be a .txt file: choose another file")
    try:
        real = Path(judge(path, Purpose.READ_TEXT).real)
        if not real.is_file():
            return (), _("the captions' file %(path)s does not exist: choose another file") % {"path": path[:200]}
        if not real.name.lower().endswith(CAPTIONS):
            return (), _("the captions' file must be a .txt file: choose another file")
        caption = read_lines(real)
    except Refused:
        return (), _("the captions' file is outside the allowed folders")
    except OSError as error:
        return (), _("the captions cannot be read (%(error)s)") % {"error": error.strerror}
    return caption.captions, _why_not(caption)


def _why_not(caption: Caption) -> str:
    if any(kind.severity == "error" for kind, _why in caption.kinds):
        return _("the captions are not UTF-8 text: save them as UTF-8")
    return ""


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


def _notes(shown: ConceptPreview, found: Scan, problem: str, subfolders: bool) -> Iterator[str]:
    if not shown.complete:
        yield _("There are too many files to count: the numbers are those of the first %(files)s files.") % {
            "files": f"{found.files:,}"
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
    for kind, names in found.left_out.items():
        if kind is not NOT_INCLUDED or shown.pictures:
            message = kind.problem("", names).message
            yield f"{message[:1].upper()}{message[1:]}."
