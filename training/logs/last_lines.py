"""The last lines of a log, to be kept with a run that did not end well."""

from __future__ import annotations

from pathlib import Path

from training.logs.tail import tail

LINES = 30
LINE = 500  # characters of each
BYTES = 30_000


def last_lines(path: Path) -> str:
    """At most so many lines; empty where there is no log."""
    end = tail(path, BYTES)
    lines = end.text.rstrip().split("\n")[-LINES:] if end else []
    return "\n".join(line[:LINE] for line in lines).replace("\x00", "")
