"""The samples of a run as a table: one row per step, one column per prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from samples.models import Sample


@dataclass
class GridColumn:
    """One of the run's prompts, with the newest shown sample of it."""

    index: int
    prompt: str
    newest: Sample


@dataclass
class Cell:
    """The samples of a step and prompt: several with plain and averaged weights, or if a resumed run repeated it."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def needs_labels(self) -> bool:
        return len(self.samples) > 1 or any(sample.superseded for sample in self.samples)


@dataclass
class GridRow:
    step: int
    epoch: int
    cells: list[Cell]


def grid(samples: Iterable[Sample]) -> tuple[list[GridColumn], list[GridRow]]:
    """Columns in the order of the prompts, rows with the newest step first; a missing picture leaves its cell
    empty."""
    columns: dict[tuple[int, str], GridColumn] = {}
    by_step: dict[int, dict[tuple[int, str], Cell]] = {}
    epochs: dict[int, int] = {}
    for sample in sorted(samples, key=lambda one: (-one.global_step, one.index, not one.is_ema, one.attempt)):
        key = (sample.index, sample.prompt)
        columns.setdefault(key, GridColumn(*key, sample))
        by_step.setdefault(sample.global_step, {}).setdefault(key, Cell()).samples.append(sample)
        epochs.setdefault(sample.global_step, sample.epoch)
    keys = sorted(columns)
    rows = [GridRow(step, epochs[step], [cells.get(key, Cell()) for key in keys]) for step, cells in by_step.items()]
    return [columns[key] for key in keys], rows
