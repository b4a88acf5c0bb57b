"""The end of a run's log, as a page shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

TAIL_BYTES = 100_000
BEFORE = 1000  # bytes shown before the line of a search result
# Terminal codes for colours and cursor moves, which a page does not show (ECMA-48, section 5.4).
CONTROLS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


@dataclass(frozen=True)
class Tail:
    """The last lines of a log; `offset` is the byte after them, `cut` is True if there are earlier lines."""

    text: str
    offset: int
    cut: bool


@dataclass(frozen=True)
class Window:
    """Whole lines from the middle of a log: from byte `begin` to byte `end` of `size`.

    For a search result, `line` is the matching line; `before` and `text` are the lines around it.
    """

    text: str
    begin: int
    end: int
    size: int
    before: str = ""
    line: str = ""

    @property
    def earlier(self) -> int | None:
        """The first byte of the previous window; None at the beginning."""
        return max(0, self.begin - TAIL_BYTES) if self.begin else None

    @property
    def later(self) -> int | None:
        return self.end if self.end < self.size else None


def window(path: Path, at: int, size: int = TAIL_BYTES) -> Window | None:
    """About `size` bytes, starting with the line of byte `at`, or None if there is no log."""
    try:
        with path.open("rb") as file:
            whole = file.seek(0, 2)
            at = max(0, min(at, whole))
            begin = max(0, at - size)
            file.seek(begin)
            before = file.read(at - begin)
            begin += before.rfind(b"\n") + 1
            file.seek(begin)
            content = file.read(size) + file.readline(size)
    except FileNotFoundError:
        return None
    return Window(fold(content.decode(errors="replace")), begin, begin + len(content), whole)


def around(path: Path, at: int) -> Window | None:
    """The window that starts with the line of byte `at`, with some lines before it."""
    found = window(path, at)
    if found is None:
        return None
    line, end, text = found.text.partition("\n")
    begin = max(0, found.begin - BEFORE)
    with path.open("rb") as file:
        file.seek(begin)
        before = file.read(found.begin - begin)
    whole = before if begin == 0 else before.partition(b"\n")[2]
    return replace(found, before=fold(whole.decode(errors="replace")), line=line + end, text=text)


def tail(path: Path, size: int = TAIL_BYTES) -> Tail | None:
    """The last `size` bytes from the start of a line, or None if there is no log."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - size))
            content = file.read(size)
    except FileNotFoundError:
        return None
    cut = end > size
    if cut:
        content = content.partition(b"\n")[2]
    return Tail(fold(content.decode(errors="replace")), end, cut)


def fold(text: str) -> str:
    """The text as a terminal would show it, without colours: of an overwritten line, only the last version."""
    lines = CONTROLS.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
