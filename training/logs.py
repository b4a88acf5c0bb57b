"""The end of a run's log, as a person wants to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 100_000


@dataclass(frozen=True)
class Tail:
    """The last lines of a log; `offset` is the byte after them, `cut` whether there are earlier ones."""

    text: str
    offset: int
    cut: bool


def tail(path: Path, size: int = TAIL_BYTES) -> Tail | None:
    """The last `size` bytes from the start of a line on, or None where there is no log."""
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
    """What a terminal would show: of a line that was written over with carriage returns, the last writing."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
