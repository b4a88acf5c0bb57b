"""Findings about many files, one sentence for each kind: their number, and the first names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from engine.interface.errors import Problem

NAMED = 3  # names in one sentence; the others are counted
LONGEST_NAME = 80  # letters of a name in a sentence
CHOICE = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")  # {for one|for several}


@dataclass(frozen=True)
class Kind:
    """A kind of finding. `text` has {number}, {names} and choices such as {is|are}."""

    text: str
    severity: str = "warning"

    def problem(self, field: str, names: list[str]) -> Problem:
        """The sentence about all these names."""
        text = CHOICE.sub(lambda choice: choice.group(1 if len(names) == 1 else 2), self.text)
        return Problem(field, text.format(number=f"{len(names):,}", names=listed(names)), self.severity)


class Findings:
    """The findings of one look at the data, by field and kind, in the order in which they appeared."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, Kind], list[str]] = {}

    def add(self, field: str, kind: Kind, *names: str) -> None:
        """Add names to a kind of finding."""
        if names:
            self._names.setdefault((field, kind), []).extend(names)

    def problems(self) -> list[Problem]:
        """One problem for each kind, errors first."""
        found = [kind.problem(field, names) for (field, kind), names in self._names.items()]
        return sorted(found, key=lambda problem: not problem.is_error)


def listed(names: Iterable[str]) -> str:
    """The first names, and the number of the others."""
    names = list(names)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def printable(name: str | os.PathLike[str]) -> str:
    """A file's name for a sentence: bytes that are no text as escapes, and a long name without its middle."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    half = LONGEST_NAME // 2
    return text if len(text) <= LONGEST_NAME else f"{text[:half]}…{text[-half:]}"
