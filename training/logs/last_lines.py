"""The last lines of a log, stored with a run that ended with an error."""

from __future__ import annotations

from pathlib import Path

from training.logs.tail import tail

LINES = 30
LINE = 500  # characters of each line
BYTES = 30_000


def last_lines(path: Path) -> str:
    """At most LINES lines; empty if there is no log."""
    end = tail(path, BYTES)
    lines = end.text.rstrip().split("\n")[-LINES:] if end else []
    return "\n".join(line[:LINE] for line in lines).replace("\x00", "")
