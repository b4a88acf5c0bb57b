"""The scalars in a TensorBoard log, in the order in which they were written."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.onetrainer.event_file import FRAME, Damaged, read_event, whole_records

logger = logging.getLogger(__name__)
NAMES = {"loss/train_step": "loss", "smooth_loss/train_step": "smooth_loss"}
LONGEST = 100  # characters of a metric's name


class Scalar(NamedTuple):
    tag: str
    step: int
    value: float
    time: float


def metric_name(tag: str) -> str:
    """The site's name for OneTrainer's `tag`; a name that is too long keeps its beginning."""
    name = NAMES.get(tag, tag).replace("\x00", "")  # databases refuse it
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]} {sha256(name.encode()).hexdigest()[:8]}"


class ScalarLog:
    """A training's event files as one list of records, read from the end of the last reading.

    `taken` counts the records that were read, over all files in their order: it is the only state to store.
    """

    def __init__(self, taken: int = 0):
        self.taken = taken
        self._readers: dict[Path, _EventFile] = {}

    def read(self, files: list[Path], most: int) -> tuple[list[Scalar], int]:
        """The scalars among the next `most` records at most, and the number of those records."""
        scalars: list[Scalar] = []
        before, passed = self.taken, 0
        for path in files:
            reader = self._readers.get(path) or self._open(path, self.taken - passed)
            while self.taken - before < most and (record := reader.next()) is not None:
                self.taken += 1
                scalars += record
            passed += reader.count
        return scalars, self.taken - before

    def _open(self, path: Path, known: int) -> _EventFile:
        """Open a file, and skip its known records."""
        reader = self._readers[path] = _EventFile(path)
        reader.skip(known)
        return reader

    def damaged(self) -> list[str]:
        """The names of files that end in a damaged record."""
        return [path.name for path, reader in self._readers.items() if reader.left]


class _EventFile:
    def __init__(self, path: Path):
        self.path = path
        self.count = 0
        self._bytes = 0
        self._records: Iterator[bytes] = iter(())

    @property
    def left(self) -> bool:
        """True if the file has bytes beyond the last complete record."""
        return self.path.exists() and self.path.stat().st_size > self._bytes

    def skip(self, number: int) -> None:
        for _ in range(number):
            if self._next_raw() is None:
                return

    def next(self) -> list[Scalar] | None:
        """The scalars of the next record, or None if there is no complete record yet."""
        raw = self._next_raw()
        return None if raw is None else list(_scalars(raw))

    def _next_raw(self) -> bytes | None:
        raw = next(self._records, None)
        if raw is None:  # at the end of the known bytes: check if the file has grown
            self._records = whole_records(self.path, self._bytes)
            raw = next(self._records, None)
        if raw is not None:
            self.count += 1
            self._bytes += len(raw) + FRAME
        return raw


def _scalars(raw: bytes) -> Iterator[Scalar]:
    """The finite numbers of a record: NaN is no point on a chart, and no database takes it."""
    try:
        event = read_event(raw)
    except Damaged as error:
        logger.warning("A record of a TensorBoard log is damaged: %s", error)
        return
    for value in event.values:
        if math.isfinite(value.number) and event.step >= 0:
            yield Scalar(metric_name(value.tag), event.step, value.number, event.time)
