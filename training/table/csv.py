"""Runs as CSV, for a spreadsheet or a script."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from training.models import Run

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet treats text that starts with these as a formula
HEAD = (
    *("id", "name", "status", "engine", "preset", "model_type", "training_method", "epochs", "steps", "total_steps"),
    *("loss", "smooth_loss", "created_at", "started_at", "ended_at", "seconds", "owner", "tags", "favourite"),
    *("error", "notes"),
)


class _Echo:
    """A file that returns the written text."""

    def write(self, text: str) -> str:
        return text


def lines(runs: Any) -> Iterator[str]:
    """One line for each run, with the user's favourites marked; read from the database in parts."""
    writer = csv.writer(_Echo())
    yield writer.writerow(HEAD)
    found = runs.with_progress().select_related("owner", "preset", "summary")
    for run in found.defer("config", "traceback", "summary__words").iterator(chunk_size=500):
        yield writer.writerow([_cell(value) for value in _values(run)])


def _values(run: Any) -> Iterable[Any]:
    summary, progress = getattr(run, "summary", None), run.progress
    return (
        *(run.pk, run.name, run.status, run.engine, run.preset.name if run.preset else ""),
        *(summary.model_type if summary else "", summary.training_method if summary else ""),
        *(progress.max_epoch, progress.global_step, progress.total_steps, progress.loss, progress.smooth_loss),
        *(run.created_at, run.started_at, run.ended_at, _seconds(run), run.owner.username if run.owner else ""),
        *(", ".join(map(str, run.tags)), run.is_favourite, run.error, run.notes),
    )


def _seconds(run: Run) -> int | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return round((run.ended_at - run.started_at).total_seconds())


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
