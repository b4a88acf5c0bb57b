"""The subjects in turn. Every failure becomes a finding, and none ends the examination."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import Error as DatabaseError

from operations.doctor import (
    clock,
    configuration,
    database,
    disk,
    files,
    gpu,
    guest,
    journals,
    leftovers,
    live,
    onetrainer,
    orphans,
    versions,
)
from operations.doctor.finding import MENDED, Asked, Finding, Look, unknown
from operations.doctor.report import Report

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    title: str
    look: Look
    reads_rows: bool = False


SUBJECTS = (
    Subject("Versions", versions.look),
    Subject("Settings", configuration.look),
    Subject("Data folder", disk.look),
    Subject("Database", database.look),
    Subject("Clock", clock.look),
    Subject("Live updates", live.look),
    Subject("GPU", gpu.look),
    Subject("Engine process", guest.look),
    Subject("OneTrainer", onetrainer.look),
    Subject("Leftovers", leftovers.look),
    Subject("Runs and processes", orphans.look, reads_rows=True),
    Subject("Journals", journals.look, reads_rows=True),
    Subject("Files", files.look, reads_rows=True),
)


def examine(mend: bool = False, asked: Asked | None = None, subjects: Iterable[Subject] = SUBJECTS) -> Report:
    """Examine everything, subject by subject; the flag makes it repair what can be repaired safely."""
    asked = asked or Asked()
    findings: list[Finding] = []
    for subject in subjects:
        asked.beat()
        found = [replace(finding, subject=subject.title) for finding in _looked(subject, asked)]
        findings += [_mended(finding) for finding in found] if mend else found
    return Report(findings)


def _looked(subject: Subject, asked: Asked) -> Iterator[Finding]:
    if subject.reads_rows and database.why_unreadable():
        yield unknown(
            "It could not be examined, because the database cannot be read.", "see the finding on the database"
        )
        return
    try:
        yield from subject.look(asked)
    except Exception as error:  # noqa: BLE001  every failure belongs in the report
        yield _failed(error)


def _failed(error: Exception) -> Finding:
    if isinstance(error, DatabaseError):
        return unknown(f"The database stopped answering ({one_line(error)}).", "examine it again")
    if isinstance(error, OSError):
        return unknown(f"A file or folder could not be used ({one_line(error)}).", "see the finding on the data folder")
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    logger.debug("An examination failed.", exc_info=error)
    return unknown(f"This examination failed ({type(error).__name__} in {where}: {one_line(error)}).", "report it")


def _mended(finding: Finding) -> Finding:
    if finding.mend is None:
        return finding
    try:
        done = finding.mend()
    except Exception as error:  # noqa: BLE001  the other repairs still have to be made
        return replace(finding, sentence=f"{finding.sentence} It could not be repaired ({one_line(error)}).", mend=None)
    return replace(finding, level=MENDED, sentence=f"{finding.sentence} {done}", cure="", mend=None)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
