"""Captions of pictures: the text file beside them, or what other trainers' tools write in its place. No torch."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.builtin.reading.findings import Kind
from engine.builtin.reading.formats import has_picture_name
from engine.builtin.reading.scan import METADATA, Reader, Scan
from engine.builtin.reading.texts import CLEANED, GUESSED, NotText, decode_text, is_broken, lines_of
from engine.paths.here import opened
from engine.paths.policy import Purpose

MOST_BYTES = 20 * 1024**2  # of one file with the captions of many pictures
KEYS = ("caption", "captions", "text", "prompt")  # of a caption in JSON
NAME_KEYS = ("file_name", "image", "image_path", "path")  # of a picture's name in a line of metadata.jsonl

NO_CAPTION = Kind(
    "{number} {picture has|pictures have} no caption and {is|are} trained with an empty caption: {names}; write "
    "{a .txt file|.txt files} of the same name, or choose another prompt_source"
)
EMPTY = Kind("{number} caption {file is|files are} empty: {names}; write {a caption|captions} into {it|them}")
NOT_TEXT = Kind("{number} caption {file|files} cannot be read: {names}; save {it|them} as UTF-8 text", "error")
UNREADABLE_TEXT = Kind(
    "the {caption file|caption files} of {number} {picture|pictures} cannot be read: {names}; allow the training's "
    "user to read {it|them}",
    "error",
)
IS_GUESSED = Kind(
    "{number} caption {file is|files are} not UTF-8, and {is|are} read as Windows Latin text: {names}; save {it|them} "
    "as UTF-8"
)
IS_CLEANED = Kind(
    "{number} caption {file has|files have} control characters, which are left out: {names}; save {it|them} as UTF-8"
)
BROKEN = Kind(
    "{number} caption {file seems|files seem} to be one text in several lines, but each line is a caption of its own, "
    "as in OneTrainer: {names}; join the lines"
)
NOT_UTF8 = Kind(
    "{number} caption {file is|files are} not UTF-8, and OneTrainer stops there: {names}; save {it|them} as UTF-8",
    "error",
)


@dataclass(frozen=True)
class Caption:
    """The captions that a picture may be trained with, and the findings about their file."""

    captions: tuple[str, ...]
    file: Path | None = None
    kinds: tuple[tuple[Kind, str], ...] = ()  # with the reason, or ""


class Captions:
    """The captions beside the pictures of a folder, from the text files that a scan found."""

    def __init__(self, found: Scan, reader: Reader) -> None:
        self.reader = reader
        self._pictures = found.pictures
        self.used: set[Path] = set()
        self._files = {self._key(path.with_suffix(""), path.suffix): path for path in sorted(found.texts)}
        self._listed: dict[str, Caption] | None = None

    def of(self, picture: Path) -> Caption:
        """The captions of one picture. Raises OSError."""
        for file in self._beside(picture):
            self.used.add(file)
            if caption := read_caption(file, self.reader):
                return caption
        listed = self._from_lists().get(self._key(picture.with_suffix(""), ""))
        if listed is None:
            return Caption(("",), None, ((NO_CAPTION, ""),))
        self.used |= {listed.file} if listed.file else set()
        return listed

    def has(self, picture: Path) -> bool:
        """True if the picture seems to have a caption; the file beside it is not opened. Raises OSError."""
        return self.file_of(picture) is not None

    def file_of(self, picture: Path) -> Path | None:
        """The file that seems to hold the picture's caption; a file beside it is not opened. Raises OSError."""
        file = next(self._beside(picture), None)
        if file is None and (listed := self._from_lists().get(self._key(picture.with_suffix(""), ""))):
            file = listed.file
        if file:
            self.used.add(file)
        return file

    def _beside(self, picture: Path) -> Iterator[Path]:
        """The files that may hold the picture's caption, the best first: a.txt, or a.png.txt, as some tools name it."""
        starts = (picture.with_suffix(""),) if self.reader.is_strict else (picture.with_suffix(""), picture)
        for ending in self.reader.captions:
            for start in starts:
                if file := self._files.get(self._key(start, ending)):
                    yield file

    def _key(self, start: Path, ending: str) -> str:
        """The name of a text file; except for OneTrainer, capital letters in its ending and split accents are equal."""
        if self.reader.is_strict:
            return f"{start}{ending}"
        return unicodedata.normalize("NFC", f"{start}{ending.lower()}")

    def unused(self) -> list[Path]:
        """The text files that no picture has."""
        return sorted(set(self._files.values()) - self.used)

    def _from_lists(self) -> dict[str, Caption]:
        """By a picture's path without ending: captions from files that list many pictures."""
        if self._listed is None:
            self._listed = {}
            beside = {file for picture in self._pictures for file in self._beside(picture)}
            for file in self._files.values():
                if file not in beside and file.suffix.lower() in (".json", ".jsonl"):
                    for name, captions in _listed_in(file):
                        self._listed.setdefault(self._key(Path(name), ""), Caption(captions, file))
        return self._listed


def read_lines(file: Path) -> Caption:
    """The captions in a text file, one on each line. Raises OSError."""
    with opened(file, Purpose.READ_TEXT) as stream:
        return _from_lines(file, stream.read(MOST_BYTES))


def read_caption(file: Path, reader: Reader) -> Caption | None:
    """The captions in a file beside a picture, or None if it is JSON about something else. Raises OSError."""
    if file.suffix.lower() == ".json":
        captions = _in_json(_parsed_file(file))
        return Caption(captions, file) if captions else None
    caption = read_lines(file)
    if reader.is_strict and any(kind in (IS_GUESSED, NOT_TEXT) for kind, _ in caption.kinds):
        return Caption(caption.captions, file, ((NOT_UTF8, ""),))
    return caption


def _from_lines(file: Path, data: bytes) -> Caption:
    try:
        text, notes = decode_text(data)
    except NotText as error:
        return Caption(("",), file, ((NOT_TEXT, str(error)),))
    kinds = [kind for note, kind in ((GUESSED, IS_GUESSED), (CLEANED, IS_CLEANED)) if note in notes]
    captions = lines_of(text)
    if not captions:
        kinds.append(EMPTY)
    elif is_broken(text):
        kinds.append(BROKEN)
    return Caption(captions or ("",), file, tuple((kind, "") for kind in kinds))


def _parsed_file(file: Path) -> Any:
    with opened(file, Purpose.READ_TEXT) as stream:
        return _parsed(stream.read(MOST_BYTES))


def _parsed(data: bytes) -> Any:
    """The JSON value, or None if it is none."""
    try:
        return json.loads(decode_text(data)[0])
    except (NotText, ValueError, RecursionError):
        return None


def _in_json(value: object) -> tuple[str, ...]:
    """The captions in an entry about one picture: its sentence, then its tags, as kohya's tools join them."""
    if isinstance(value, str):
        return lines_of(value)
    if not isinstance(value, dict):
        return ()
    captions = next((texts for key in KEYS if (texts := _texts(value.get(key)))), ())
    tags = ", ".join(_texts(value.get("tags")))
    if captions and tags:
        return tuple(f"{caption}, {tags}" for caption in captions)
    return captions or ((tags,) if tags else ())


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text.strip() for text in values if isinstance(text, str) and text.strip())


def _listed_in(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(a picture's path without ending, its captions) from metadata.jsonl, or from the JSON of kohya's tools."""
    if file.name.lower() == METADATA:
        with opened(file, Purpose.READ_TEXT) as stream:
            rows = [_parsed(line) for line in stream.read(MOST_BYTES).splitlines()]
        entries = [(_name_in(row), row) for row in rows if isinstance(row, dict)]
    else:
        value = _parsed_file(file)
        entries = list(value.items()) if isinstance(value, dict) else []
    entries = [(name, entry) for name, entry in entries if isinstance(entry, dict)]
    for name, entry in entries:
        if name and (captions := _in_json(entry)):
            yield _without_ending(file.parent, name), captions


def _name_in(row: dict[str, Any]) -> str:
    return next((name for key in NAME_KEYS if isinstance(name := row.get(key), str)), "")


def _without_ending(folder: Path, name: str) -> str:
    """The path that a name in a list stands for; an absolute path is often another machine's, so its folder is not."""
    name = name.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        name = name.rpartition("/")[2]
    path = Path(os.path.normpath(folder / name))
    return str(path.with_suffix("") if has_picture_name(path) else path)
