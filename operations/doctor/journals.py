"""Journals against rows: each line that an engine process wrote is in the database, once, in order.

First the lines are only counted: one pass over the file, one query per table. If the counts differ, they are
compared in detail.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.db.models import Count, Sum

from engine.interface.journal import FILE_NAME
from operations.doctor.finding import MEND, Asked, Finding, counted, counted_are, fine, look_at, note, wrong
from operations.doctor.orphans import is_followed
from operations.doctor.refill import refill
from operations.doctor.tally import Tally, last_moment, read_through
from training.models import Run
from worker.ingest import JournalReader, StaleAttempt

KEEP = "keep its folder, and attach this report to a bug report"


def look(asked: Asked) -> Iterator[Finding]:
    lines = journals = 0
    for run in Run.objects.order_by("created_at").iterator(chunk_size=100):
        for attempt in range(1, run.attempt + 1):
            asked.beat()
            tally = _tally(run, attempt, asked)
            if tally is None:
                yield from _absent(run, attempt)
                continue
            journals, lines = journals + 1, lines + tally.lines
            yield from _order(run, attempt, tally)
            yield from _offset(run, attempt, tally)
            yield from _rows(run, attempt, tally, asked)
    yield fine(f"{counted(journals, 'journal')} with {counted(lines, 'line')} compared.")


def _path(run: Run, attempt: int) -> Path:
    return run.folder / "attempts" / str(attempt) / FILE_NAME


def _tally(run: Run, attempt: int, asked: Asked) -> Tally | None:
    path = _path(run, attempt)
    if not path.exists():
        return None
    upto = run.progress.journal_sequence if attempt == run.attempt else None
    damaged = run.events.filter(attempt=attempt, kind="damaged", sequence__isnull=False)
    known = {sequence for sequence in damaged.values_list("sequence", flat=True) if sequence}
    return read_through(path, known, upto, last_moment(run, attempt), asked.beat)


def _absent(run: Run, attempt: int) -> Iterator[Finding]:
    """An attempt that never started has no journal, nor has a run that was trained elsewhere."""
    said = run.metrics.filter(attempt=attempt).exists() or run.events.filter(attempt=attempt, sequence__gt=0).exists()
    if said and not (run.source and attempt <= 1):
        sentence = f"The journal of attempt {attempt} of run {run.pk} is missing; its rows exist."
        yield look_at(sentence, "restore the run's folder from a backup if you need it")


def _order(run: Run, attempt: int, tally: Tally) -> Iterator[Finding]:
    """Problems of the journal itself."""
    whose = f"In the journal of attempt {attempt} of run {run.pk}"
    if tally.missing_numbers:
        yield wrong(f"{whose}, {counted_are(tally.missing_numbers, 'line')} missing between others.", KEEP)
    if tally.doubled:
        yield wrong(f"{whose}, {counted_are(tally.doubled, 'line')} doubled or out of order.", KEEP)
    if tally.damaged:
        yield look_at(f"{whose}, {counted_are(tally.damaged, 'line')} damaged.", KEEP)
    if tally.clock_jumps:
        yield note(f"{whose}, the clock goes back {counted(tally.clock_jumps, 'time')}.")
    if tally.refused:
        yield note(
            f"{whose}, {counted_are(tally.refused, 'line')} from after the start of another attempt, and refused."
        )


def _offset(run: Run, attempt: int, tally: Tally) -> Iterator[Finding]:
    """How far the journal of the present attempt was read."""
    if attempt != run.attempt:
        return
    if run.progress.journal_offset > tally.size:
        lost = counted(run.progress.journal_offset - tally.size, "byte")
        yield wrong(f"The journal of run {run.pk} is {lost} shorter than the part that was read.", KEEP)
    elif run.progress.journal_offset and not _begins_a_line(_path(run, attempt), run.progress.journal_offset):
        yield wrong(f"The journal of run {run.pk} was read up to the middle of a line.", KEEP)
    elif tally.unread and run.is_ended and not run.is_lost and not is_followed(run):
        sentence = f"Of the journal of run {run.pk}, which has ended, {counted_are(tally.unread, 'line')} not read yet."
        yield wrong(sentence, MEND, partial(_read_on, run))


def _begins_a_line(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset - 1)
        return file.read(1) == b"\n"


def _read_on(run: Run) -> str:
    run.refresh_from_db()
    if not run.is_ended:
        return "It was left alone, because the run continues."
    before, reader = run.progress.journal_sequence, JournalReader(run)
    try:
        while reader.read():
            continue
    except StaleAttempt:
        return "It was left alone, because a worker reads it."
    run.refresh_from_db()
    return f"{counted_are(run.progress.journal_sequence - before, 'line')} in the database now."


# -- rows ------------------------------------------------------------------------------------------------------


def _rows(run: Run, attempt: int, tally: Tally, asked: Asked) -> Iterator[Finding]:
    missing = _count_missing(run, attempt, tally, asked)
    named = [counted(count, noun) for noun, count in missing.items() if count]
    if named:
        sentence = f"Of attempt {attempt} of run {run.pk}, the journal has and the database lacks {', '.join(named)}."
        yield wrong(sentence, MEND, partial(_refill, run, attempt, asked))
    if surplus := _surplus_metrics(run, attempt, tally):
        whose = f"of attempt {attempt} of run {run.pk}"
        sentence = f"The database has {counted(surplus, 'value')} {whose} that the journal lacks."
        yield look_at(sentence, KEEP)


def _count_missing(run: Run, attempt: int, tally: Tally, asked: Asked) -> dict[str, int]:
    return {
        "event": len(tally.timeline - _sequences(run.events, attempt)),
        "sample": _lost(tally.samples, _sequences(run.samples, attempt)),
        "artifact": _lost(tally.artifacts, _sequences(run.artifacts, attempt)),
        "value": _missing_values(run, attempt, tally, asked),
    }


def _sequences(rows: Any, attempt: int) -> set[int]:
    return set(rows.filter(attempt=attempt, sequence__isnull=False).values_list("sequence", flat=True))


def _lost(told: dict[int, str], present: set[int]) -> int:
    """Only those whose file exists: a person may have removed the row together with its file."""
    return sum(Path(path).exists() for sequence, path in told.items() if sequence not in present)


def _stored(run: Run, attempt: int) -> tuple[int, int]:
    facts = run.metrics.filter(attempt=attempt).aggregate(values=Count("pk"), steps=Sum("step"))
    return facts["values"], facts["steps"] or 0


def _missing_values(run: Run, attempt: int, tally: Tally, asked: Asked) -> int:
    values, steps = _stored(run, attempt)
    if (values, steps) == (tally.values, tally.steps):
        return 0
    more_are_on_their_way = run.is_active and attempt == run.attempt and values >= tally.values
    if more_are_on_their_way:
        return 0
    return sum(len(lost) for _, lost in tally.batches_lacking(run, attempt, asked.beat))


def _surplus_metrics(run: Run, attempt: int, tally: Tally) -> int:
    if run.is_active or run.status == Run.Status.QUEUED or tally.unread or tally.damaged:
        return 0
    return max(0, _stored(run, attempt)[0] - tally.values)


def _refill(run: Run, attempt: int, asked: Asked) -> str:
    """Add the missing rows and nothing else; the run itself stays as it is."""
    tally = _tally(run, attempt, asked)
    if tally is None:
        return "Its journal is missing now."
    its_attempt = copy.copy(run)
    its_attempt.attempt = attempt
    return refill(its_attempt, tally, asked.beat)
