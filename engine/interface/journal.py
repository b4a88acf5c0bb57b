"""The journal: an engine process's events, one JSON line each, in a file that outlives every process.

Each line is `{"sequence": 1, "time": 1700000000.0, "kind": "progress", "data": {...}}`; sequence numbers start at 1 and
have no gaps. Kinds: started, status, phase, phase_progress, progress, metrics, sample, sample_progress, artifact,
removed, warning, command_done, command_refused, failed, ended.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.interface.json_types import Json, JsonObject

logger = logging.getLogger("engine")
FILE_NAME = "journal.jsonl"
LASTING = frozenset({"artifact", "removed", "command_done", "command_refused", "failed", "ended"})
READ_BYTES = WRITE_BYTES = 1 << 20


@dataclass(frozen=True)
class Event:
    """One line of a journal."""

    sequence: int
    time: float
    kind: str
    data: JsonObject


class JournalWriter:
    """Appends events; safe to call from several threads. `on_append` is called with each event after it is written."""

    def __init__(self, path: Path, on_append: Callable[[], None] = lambda: None) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self._sequence = 0
        self._unwritten = bytearray()
        self._on_append = on_append

    def append(self, kind: str, data: JsonObject) -> None:
        """Write one event. An event that must survive a power cut is on the disk when this returns.

        Events that do not fit on a full disk are kept in memory, about 300 bytes a step, and are written before the
        next event: no line is torn or lost.
        """
        with self._lock:
            self._sequence += 1
            event = {"sequence": self._sequence, "time": time.time(), "kind": kind, "data": _finite(data)}
            had_space = not self._unwritten
            self._unwritten += json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"
            try:
                self._write()
                if kind in LASTING:
                    os.fsync(self._file.fileno())
            except OSError as error:
                if had_space:
                    logger.warning("The journal cannot be written, so its events wait for free space: %s", error)
        self._on_append()

    def drain(self, seconds: float) -> bool:
        """Write the waiting events, trying for at most `seconds`; return whether all are written."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self._lock:
                    self._write()
                return True
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.2)

    def _write(self) -> None:
        while self._unwritten:
            written = self._file.write(self._unwritten[:WRITE_BYTES])
            del self._unwritten[:written]

    def close(self) -> None:
        self._file.close()


def _finite(value: Json) -> Json:
    """JSON has no NaN and no infinity: a reader sees null instead."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def read_journal(path: Path, offset: int = 0, read_bytes: int = READ_BYTES) -> tuple[list[Event], int]:
    """The whole events from byte `offset` on, about `read_bytes` of them at most, and the offset behind the last event.

    A torn last line is left until it is whole. A line that is not JSON becomes an event of kind `damaged`.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            block = file.read(read_bytes)
            if b"\n" not in block:
                block += file.readline()
    except FileNotFoundError:
        return [], offset
    whole = block[: block.rfind(b"\n") + 1]
    return [_parse(line) for line in whole.splitlines()], offset + len(whole)


def _parse(line: bytes) -> Event:
    try:
        event = json.loads(line)
        if b"\\u0000" in line or b"\\ud" in line:
            event = _storable(event)
        return _checked(Event(event["sequence"], event["time"], event["kind"], event["data"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Event(0, time.time(), "damaged", {"line": line[:200].decode(errors="replace").replace("\0", "\ufffd")})


def _checked(event: Event) -> Event:
    if not (isinstance(event.kind, str) and isinstance(event.data, dict)):
        raise TypeError(event.kind)
    if not (0 < int(event.sequence) < 2**63 and 0 <= float(event.time) < 2**33):
        raise ValueError(event.sequence)
    return event


def _storable(value: Json) -> Json:
    """The value with texts that a database accepts."""
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, dict):
        return {_storable_text(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _storable_text(text: str) -> str:
    """No database accepts the character 0, or half a surrogate, which a file name has in place of invalid UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
