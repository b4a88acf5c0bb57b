"""A run's samples as a table: a row is a step, a column one of its prompts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from samples.models import Sample


@dataclass
class Column:
    """One of the run's prompts, with the newest sample of it that is shown."""

    index: int
    prompt: str
    newest: Sample


@dataclass
class Cell:
    """The samples of a step and prompt: several, where plain and averaged weights drew, or a resumed run drew again."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def needs_labels(self) -> bool:
        return len(self.samples) > 1


@dataclass
class Row:
    step: int
    epoch: int
    cells: list[Cell]


def grid(samples: Iterable[Sample]) -> tuple[list[Column], list[Row]]:
    """Columns in the order of the prompts and rows with the newest step first; a picture that is missing has an empty
    cell."""
    columns: dict[tuple[int, str], Column] = {}
    by_step: dict[int, dict[tuple[int, str], Cell]] = {}
    epochs: dict[int, int] = {}
    for sample in sorted(samples, key=lambda one: (-one.global_step, one.index, not one.is_ema, one.attempt)):
        key = (sample.index, sample.prompt)
        columns.setdefault(key, Column(*key, sample))
        by_step.setdefault(sample.global_step, {}).setdefault(key, Cell()).samples.append(sample)
        epochs.setdefault(sample.global_step, sample.epoch)
    keys = sorted(columns)
    rows = [Row(step, epochs[step], [cells.get(key, Cell()) for key in keys]) for step, cells in by_step.items()]
    return [columns[key] for key in keys], rows
