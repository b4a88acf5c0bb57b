"""Which files and folders are earlier models of this site: only these may be replaced by a run.

The app that records the models says it; it is above this one, so it registers its answer at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_answers: list[Callable[[Path], bool]] = []


def register(answer: Callable[[Path], bool]) -> None:
    """`answer` tells whether a real path is a model that a run of this site wrote, and that is unchanged."""
    _answers.append(answer)


def has(path: Path) -> bool:
    return any(answer(path) for answer in _answers)
