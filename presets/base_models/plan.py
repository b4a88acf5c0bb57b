"""What a fetch consists of: its files, and how they become a model when all are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from presets.base_models.download import RemoteFile


@dataclass
class FetchPlan:
    """The files of a model; `finish` makes the model of them, and `name` is what a config then calls it."""

    name: str
    files: list[RemoteFile]
    finish: Callable[[], None] = lambda: None
    facts: dict[str, str] = field(default_factory=dict)  # licence and revision, for the page

    @property
    def folder(self) -> Path:
        return self.files[0].target.parent

    @property
    def size(self) -> int:
        """All bytes, as far as the sizes are known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def missing(self) -> int:
        return sum(file.missing for file in self.files)
