"""A copy of the journal, read before a fault can cut the journal off."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

Line = dict[str, Any]
LAST_WORDS = ("ended", "failed")


class Shadow:
    """The complete lines of the journals of all attempts of one run."""

    def __init__(self, run_folder: Path):
        self.attempts: dict[int, list[Line]] = {}
        self.torn: set[tuple[int, int]] = set()  # (attempt, sequence) of lines that a power cut removed
        self._folder = run_folder / "attempts"
        self._offsets: dict[int, int] = {}
        self._lock = threading.Lock()

    def read(self) -> None:
        with self._lock:
            for journal in self._folder.glob("*/journal.jsonl"):
                self._read(int(journal.parent.name), journal)

    def _read(self, attempt: int, journal: Path) -> None:
        with journal.open("rb") as file:
            file.seek(self._offsets.get(attempt, 0))
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offsets[attempt] = self._offsets.get(attempt, 0) + len(whole)
        try:
            self.attempts.setdefault(attempt, []).extend(json.loads(line) for line in whole.splitlines())
        except ValueError as error:
            raise AssertionError(f"Attempt {attempt} wrote invalid JSON: {whole[:300]!r}") from error

    def journal(self, attempt: int) -> Path:
        return self._folder / str(attempt) / "journal.jsonl"

    def tear(self, attempt: int, cut: bool) -> None:
        """Cut off the last line of a journal whose writer is gone, or append half a line."""
        self.read()
        journal = self.journal(attempt)
        last = journal.read_bytes().splitlines(keepends=True)[-1]
        if cut:
            os.truncate(journal, journal.stat().st_size - len(last) // 2)
            self.torn.add((attempt, self.attempts[attempt][-1]["sequence"]))
        else:
            with journal.open("ab") as file:
                file.write(last[: len(last) // 2])

    @property
    def line_count(self) -> int:
        return sum(len(lines) for lines in self.attempts.values())

    @property
    def attempt(self) -> int:
        """The newest attempt with a line."""
        return max(self.attempts, default=0)

    def of(self, kind: str, attempt: int | None = None) -> list[tuple[int, Line]]:
        """(attempt, line) of all lines of one kind, in order."""
        return [
            (number, line)
            for number, lines in sorted(self.attempts.items())
            if attempt in (None, number)
            for line in lines
            if line["kind"] == kind
        ]

    def last_word(self) -> str:
        """`ended` or `failed` if the newest attempt has reported it, otherwise empty."""
        lines = self.attempts.get(self.attempt, [])
        return next((line["kind"] for line in reversed(lines) if line["kind"] in LAST_WORDS), "")

    @property
    def position(self) -> tuple[int, int]:
        """(attempt, step) of the newest progress."""
        progress = self.of("progress")
        return (progress[-1][0], progress[-1][1]["data"]["global_step"]) if progress else (0, 0)
