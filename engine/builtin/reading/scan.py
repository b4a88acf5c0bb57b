"""The files in a concept's folder, sorted by what the trainer does with them: nothing is left out silently.

The site's previews and its wizard look at a folder with the same function, so that they agree with the trainer.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.reading.findings import Kind, printable
from engine.builtin.reading.formats import ONETRAINER_SUFFIXES, SUFFIXES, has_picture_name, is_label
from engine.paths.here import may_follow

UNUSABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, and bytes that are not UTF-8
SYSTEM_FOLDERS = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
CLUTTER = {"thumbs.db", "desktop.ini", "icon\r"}  # of file managers
TEXT_SUFFIXES = (".txt", ".caption", ".json")
METADATA = "metadata.jsonl"
PEEKED = 200  # names of a folder that is left out, to see if it has pictures

UNREAD = Kind(
    "{number} {file is|files are} not in a format that is read, and {is|are} left out: {names}; "
    "save {it|them} as PNG or JPEG if {it is a picture|they are pictures}"
)
UNREAD_TEXT = Kind(
    "{number} text {file is|files are} not read by OneTrainer: {names}; save captions as .txt files with the names of "
    "their pictures, as `manage.py convert_captions FOLDER` does"
)
HIDDEN = Kind("{number} hidden or system {name is|names are} left out: {names}; rename {it|them} to train {it|them}")
UNNAMABLE = Kind(
    "{number} {name|names} with bytes that are not UTF-8 or with control characters {is|are} left out: {names}; "
    "rename {it|them}"
)
CIRCLE = Kind(
    "{number} linked {folder is|folders are} left out, because {it is|they are} read already: {names}; "
    "remove the {link|links}"
)
BROKEN_LINK = Kind(
    "{number} {link leads|links lead} nowhere and {is|are} left out: {names}; repair or remove {it|them}"
)
SAME_FILE = Kind(
    "{number} {link is|links are} left out, because the {picture|pictures} that {it leads|they lead} to {is|are} "
    "trained already: {names}; copy the {file|files} to train {it|them} twice"
)
NO_FILE = Kind("{number} {name is not a file|names are not files} and {is|are} left out: {names}; remove {it|them}")
OUTSIDE = Kind(
    "{number} {link leads|links lead} outside the allowed folders and {is|are} left out: {names}; "
    "copy what {it leads|they lead} to"
)
OUTSIDE_FOR_ONETRAINER = Kind(
    "{number} {link leads|links lead} outside the allowed folders, and OneTrainer would follow {it|them}: {names}; "
    "copy what {it leads|they lead} to, or remove {it|them}",
    "error",
)
CLOSED = Kind(
    "{number} {folder|folders} cannot be read: {names}; allow the training's user to read {it|them}",
    "error",
)
NOT_INCLUDED = Kind(
    "{number} {subfolder|subfolders} with pictures {is|are} left out: {names}; turn on include_subdirectories to train "
    "{it|them}"
)
LABEL_ALONE = Kind(
    "{number} {mask has|masks have} no picture: {names}; name {it|them} after {its picture|their pictures}"
)


@dataclass(frozen=True)
class Reader:
    """What an engine reads: the endings of pictures and captions.

    If strict, as OneTrainer: of texts only exact .txt files, in UTF-8; hidden files and system folders, but no hidden
    folders; and a picture as often as links lead to it.
    """

    suffixes: frozenset[str]
    captions: tuple[str, ...]
    is_strict: bool = False


BUILTIN = Reader(SUFFIXES, TEXT_SUFFIXES)
ONETRAINER = Reader(ONETRAINER_SUFFIXES, (".txt",), is_strict=True)


@dataclass
class Scan:
    """The files of a folder. `left_out` has the names, relative to the folder, of each kind of finding."""

    folder: Path
    pictures: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)
    texts: set[Path] = field(default_factory=set)
    left_out: dict[Kind, list[str]] = field(default_factory=dict)
    files: int = 0
    subfolders: int = 0
    complete: bool = True

    def leave_out(self, kind: Kind, path: str | Path, why: str = "") -> None:
        """Note that the file or folder is not trained."""
        name = printable(os.path.relpath(path, self.folder))
        self.left_out.setdefault(kind, []).append(f"{name} ({why})" if why else name)


def scan(
    folder: Path,
    subfolders: bool,
    reader: Reader = BUILTIN,
    may_follow: Callable[[str], bool] = may_follow,
    keep_going: Callable[[int], bool] = lambda files: True,
) -> Scan:
    """Look at all names of the folder and, with `subfolders`, of those within it; no file is opened.

    Linked folders are followed where `may_follow` allows it, each real folder once. The scan is incomplete once
    `keep_going`, called with the number of files so far, returns False. Raises OSError if the folder cannot be read.
    """
    found = Scan(folder)
    walk = _Walk(found, subfolders, reader, may_follow, keep_going)
    walk.read(folder)
    found.pictures = sorted(found.pictures if reader.is_strict else _real_once(found))
    stems = {str(picture.with_suffix("")) for picture in found.pictures}
    for label in sorted(found.labels):
        if str(label.with_suffix("")).rpartition("-")[0] not in stems:
            found.leave_out(LABEL_ALONE, label)
    for names in found.left_out.values():
        names.sort()
    return found


class _Walk:
    """One walk through a folder, without recursion and without circles."""

    def __init__(
        self,
        found: Scan,
        subfolders: bool,
        reader: Reader,
        may_follow: Callable[[str], bool],
        keep_going: Callable[[int], bool],
    ) -> None:
        self.found = found
        self.subfolders = subfolders
        self.reader = reader
        self.may_follow = may_follow
        self.keep_going = keep_going
        self.seen: set[tuple[int, int]] = set()
        self.links: list[str] = []  # folders behind links are read last, so that a folder keeps its own path

    def read(self, first: Path) -> None:
        self._enter(str(first))
        waiting = [str(first)]
        while self.found.complete and (waiting or self.links):
            here = waiting.pop() if waiting else self.links.pop(0)
            if here != str(first) and not self._enter(here):
                self.found.leave_out(CIRCLE, here)
                continue
            try:
                with os.scandir(here) as entries:
                    waiting += self._folders_in(entries)
            except OSError as error:
                if here == str(first):
                    raise
                self.found.leave_out(CLOSED, here, error.strerror or "")

    def _enter(self, folder: str) -> bool:
        """Note the real folder; False if it was read before. A folder that cannot be read is noticed when it is."""
        try:
            facts = Path(folder).stat()
        except OSError:
            return True
        key = facts.st_dev, facts.st_ino
        is_new = key not in self.seen
        self.seen.add(key)
        return is_new

    def _folders_in(self, entries: Iterator[os.DirEntry[str]]) -> list[str]:
        """Sort the entries; returns the folders to read next."""
        folders: list[str] = []
        for entry in entries:
            if not self.keep_going(self.found.files):
                self.found.complete = False
                break
            if not _is_folder(entry):
                self._take_file(entry)
            elif self._is_wanted(entry):
                (self.links if entry.is_symlink() else folders).append(entry.path)
        return folders

    def _is_wanted(self, entry: os.DirEntry[str]) -> bool:
        """Whether to read this subfolder; otherwise it is noted."""
        if UNUSABLE.search(entry.name):
            self.found.leave_out(UNNAMABLE, entry.path)
        elif entry.is_symlink() and not self.may_follow(entry.path):
            self.found.leave_out(self._outside, entry.path)
        elif is_hidden(entry.name, self.reader):
            if _has_picture(entry.path):
                self.found.leave_out(HIDDEN, entry.path)
        else:
            self.found.subfolders += 1
            if not self.subfolders and _has_picture(entry.path):
                self.found.leave_out(NOT_INCLUDED, entry.path)
            return self.subfolders
        return False

    def _take_file(self, entry: os.DirEntry[str]) -> None:
        path = Path(entry.path)
        suffix = path.suffix.lower()
        if entry.name.startswith(".") and not (self.reader.is_strict and has_picture_name(path)):
            if has_picture_name(path):
                self.found.leave_out(HIDDEN, path)
            return
        self.found.files += 1
        if kind := self._obstacle(entry):
            self.found.leave_out(kind, path)
        elif is_label(path):
            self.found.labels.append(path)
        elif suffix in self.reader.suffixes:
            self.found.pictures.append(path)
        elif suffix in TEXT_SUFFIXES or entry.name.lower() == METADATA:
            self._take_text(path)
        elif entry.name.lower() not in CLUTTER:
            self.found.leave_out(UNREAD, path)

    def _take_text(self, path: Path) -> None:
        if self.reader.is_strict and path.suffix not in self.reader.captions:
            self.found.leave_out(UNREAD_TEXT, path)
        else:
            self.found.texts.add(path)

    @property
    def _outside(self) -> Kind:
        return OUTSIDE_FOR_ONETRAINER if self.reader.is_strict else OUTSIDE

    def _obstacle(self, entry: os.DirEntry[str]) -> Kind | None:
        if UNUSABLE.search(entry.name):
            return UNNAMABLE
        if entry.is_symlink() and not self.may_follow(entry.path):
            return self._outside
        try:
            is_file = stat.S_ISREG(entry.stat().st_mode) if entry.is_symlink() else entry.is_file()
        except OSError:
            return BROKEN_LINK
        return None if is_file else NO_FILE


def is_hidden(name: str, reader: Reader = BUILTIN) -> bool:
    """True for a folder that no one means to train: hidden, or made by a system (`__MACOSX`, `@eaDir`)."""
    return name.startswith(".") or (not reader.is_strict and name.lower() in SYSTEM_FOLDERS)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _has_picture(folder: str) -> bool:
    """Whether one of the folder's first names is a picture, also in its own subfolders."""
    waiting, left = [folder], PEEKED
    while waiting and left > 0:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    left -= 1
                    if left <= 0:
                        break
                    if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name):
                        waiting.append(entry.path)
                    elif has_picture_name(Path(entry.name)):
                        return True
        except OSError:  # the folder is left out anyway
            continue
    return False


def _real_once(found: Scan) -> list[Path]:
    """Each picture once: a link is left out if the file that it leads to is a picture of the folder too."""
    links = {path for path in found.pictures if path.is_symlink()}
    if not links:
        return found.pictures
    kept = [path for path in found.pictures if path not in links]
    real = {os.path.realpath(path) for path in kept}
    for path in sorted(links):
        target = os.path.realpath(path)
        if target in real:
            found.leave_out(SAME_FILE, path)
        else:
            kept.append(path)
        real.add(target)
    return kept
