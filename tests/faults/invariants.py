"""Invariants of a quiet site: journal, database and files agree. Each violation is a sentence."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.builtin.training import checkpoint
from engine.interface.errors import BadBackup
from tests.faults.shadow import Line, Shadow
from tests.faults.world import World

TIMELINE = ("started", "warning", "artifact", "failed", "ended")
STATUS_OF = {"ended": ("finished", "stopped"), "failed": ("failed",), "": ("interrupted", "stopped", "failed")}


class Findings:
    """The violations, and the numbers of lost and duplicate events."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.lost = 0
        self.doubled = 0
        self.again = 0  # the most steps that one attempt repeated

    def compare(self, what: str, expected: Counter[Any], found: Counter[Any], may_lack: set[Any]) -> None:
        lost = {key: count for key, count in (expected - found).items() if key not in may_lack}
        doubled = found - expected
        self.lost += sum(lost.values())
        self.doubled += sum(doubled.values())
        if lost:
            self.sentences.append(f"{what} lost: {sorted(lost)[:5]} ({len(lost)} in all)")
        if doubled:
            self.sentences.append(f"{what} duplicate or invented: {sorted(doubled)[:5]} ({len(doubled)} in all)")


RUN = "SELECT * FROM training_run JOIN training_runprogress ON run_id = training_run.id WHERE training_run.id = ?"


def examine(world: World, run_id: str, shadow: Shadow, backup_interval: int) -> Findings:
    """Check all rows and files of a run."""
    shadow.read()
    findings, key = Findings(), world.run_key(run_id)
    run = world.rows(RUN, key)[0]
    _events(findings, world, key, shadow)
    _metrics(findings, world, key, shadow)
    findings.sentences += [
        *_gaps(shadow),
        *_order(world, key),
        *_status(run, shadow),
        *_commands(world, key),
        *_files(world, key, run),
        *_processes(world),
    ]
    _trained_again(findings, shadow, backup_interval)
    return findings


def _gaps(shadow: Shadow) -> Iterator[str]:
    for attempt, lines in shadow.attempts.items():
        if [line["sequence"] for line in lines] != list(range(1, len(lines) + 1)):
            yield f"the journal of attempt {attempt} has gaps"


def _events(findings: Findings, world: World, key: str, shadow: Shadow) -> None:
    """Each event that is stored as a row has exactly one row."""
    tables = {"training_runevent": TIMELINE, "training_artifact": ("artifact",), "samples_sample": ("sample",)}
    for table, kinds in tables.items():
        query = f"SELECT attempt, sequence FROM {table} WHERE run_id = ? AND sequence IS NOT NULL"
        found = Counter((row["attempt"], row["sequence"]) for row in world.rows(query, key))
        lines = [place for kind in kinds for place in shadow.of(kind)]
        expected = Counter((attempt, line["sequence"]) for attempt, line in lines)
        findings.compare(table, expected, found, shadow.torn)


def _metrics(findings: Findings, world: World, key: str, shadow: Shadow) -> None:
    rows = world.rows("SELECT attempt, tag, step, value, superseded FROM training_metric WHERE run_id = ?", key)
    found = Counter((row["attempt"], row["step"], row["tag"], row["value"]) for row in rows)
    lines = shadow.of("metrics")
    expected = Counter(value for attempt, line in lines for value in _values(attempt, line))
    torn = {
        value
        for attempt, line in lines
        if (attempt, line["sequence"]) in shadow.torn
        for value in _values(attempt, line)
    }
    findings.compare("metrics", expected, found, torn)
    _superseded(findings, rows)


def _values(attempt: int, line: Line) -> Iterator[tuple[int, int, str, float]]:
    for tag, value in line["data"]["values"].items():
        if value is not None:
            yield attempt, line["data"]["step"], tag, value


def _superseded(findings: Findings, rows: list[dict[str, Any]]) -> None:
    """For each step the newest attempt's value counts, and older values stay as superseded."""
    begins: dict[int, int] = {}
    for row in rows:
        begins[row["attempt"]] = min(row["step"], begins.get(row["attempt"], row["step"]))
    for row in rows:
        later = any(attempt > row["attempt"] and first <= row["step"] for attempt, first in begins.items())
        if bool(row["superseded"]) != later:
            wrong = "is superseded" if row["superseded"] else "is not superseded"
            findings.sentences.append(f"{row['tag']} of step {row['step']}, attempt {row['attempt']}, {wrong}")
            return
    present = Counter(row["step"] for row in rows if row["tag"] == "loss" and not row["superseded"])
    steps = sorted(present)
    if steps and steps != list(range(steps[0], steps[-1] + 1)):
        findings.sentences.append("the present losses have gaps")
    findings.doubled += sum(present.values()) - len(present)


def _order(world: World, key: str) -> Iterator[str]:
    """Rows were stored in the order of the journal."""
    query = "SELECT attempt, sequence FROM training_runevent WHERE run_id = ? AND sequence IS NOT NULL ORDER BY id"
    places = [(row["attempt"], row["sequence"]) for row in world.rows(query, key)]
    if places != sorted(places):
        yield "the timeline is out of order"


def _status(run: dict[str, Any], shadow: Shadow) -> Iterator[str]:
    last_word = shadow.last_word() if run["attempt"] == shadow.attempt else ""
    if run["status"] not in STATUS_OF[last_word]:
        yield f"the run is {run['status']}, and its last word was {last_word or 'none'}"
    if not shadow.torn and shadow.position not in ((run["attempt"], run["global_step"]), (0, 0)):
        yield f"the run is at {run['global_step']}, attempt {run['attempt']}, and the journal at {shadow.position}"
    if run["status"] == "finished" and not run["ended_at"]:
        yield "a finished run has no end"


def _commands(world: World, key: str) -> Iterator[str]:
    for row in world.rows("SELECT kind, status FROM training_runcommand WHERE run_id = ?", key):
        if row["status"] not in ("done", "refused", "expired"):
            yield f"the command {row['kind']} is {row['status']} for ever"


def _files(world: World, key: str, run: dict[str, Any]) -> Iterator[str]:
    """All offered files are complete."""
    rows = world.rows("SELECT kind, path, size, sha256, deleted_at FROM training_artifact WHERE run_id = ?", key)
    for row in rows:
        if row["deleted_at"] is None and Path(row["path"]).exists():
            yield from _artifact(row)
    for row in world.rows("SELECT path FROM samples_sample WHERE run_id = ?", key):
        if not _is_picture(Path(row["path"])):
            yield f"the sample {row['path']} is no whole picture"
    if run["status"] == "finished" and not any(row["kind"] == "model" and Path(row["path"]).exists() for row in rows):
        yield "a finished run has no model"


def _artifact(row: dict[str, Any]) -> Iterator[str]:
    path = Path(row["path"])
    if ".partial" in row["path"]:
        yield f"{path} is half-written, and offered"
    if row["kind"] == "backup":
        try:
            checkpoint.verify(path)
        except BadBackup as error:
            yield str(error)
        return
    if path.stat().st_size != row["size"] or (row["sha256"] and _hash(path) != row["sha256"]):
        yield f"{path} does not match its event"
    if path.suffix == ".safetensors" and not is_whole_safetensors(path):
        yield f"{path} is cut off"


def is_whole_safetensors(path: Path) -> bool:
    """True if header and size match."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    ends = [facts["data_offsets"][1] for name, facts in header.items() if name != "__metadata__"]
    return path.stat().st_size == 8 + length + max(ends, default=0)


def _is_picture(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _processes(world: World) -> Iterator[str]:
    if left := world.processes("engine"):
        yield f"an engine process is left over: {left[0].pid}"
    for part in ("web", "worker"):
        if len(world.processes(part)) > 1:
            yield f"{part} runs twice"


def _trained_again(findings: Findings, shadow: Shadow, backup_interval: int) -> None:
    """The number of steps that an attempt repeated: at most the steps between two backups.

    A backup that a full disk prevented allows one more interval, and is counted separately.
    """
    reached, left_out = 0, 0
    for attempt in sorted(shadow.attempts):
        steps = [line["data"]["step"] for _, line in shadow.of("metrics", attempt)]
        again = reached - min(steps) + 1 if steps and reached else 0
        if left_out == 0:
            findings.again = max(findings.again, again)
        if again > backup_interval * (1 + left_out):
            findings.sentences.append(
                f"{again} steps were repeated, and a backup is saved every {backup_interval} steps; "
                f"{left_out} had no room"
            )
        reached, left_out = max([reached, *steps]), _without_space(shadow.attempts[attempt])


def _without_space(lines: list[Line]) -> int:
    """The number of backups that a full disk prevented since the last backup."""
    count = 0
    for line in lines:
        if line["kind"] == "artifact" and line["data"]["kind"] == "backup":
            count = 0
        count += line["kind"] == "warning" and "The backup does not fit on the disk" in line["data"]["message"]
    return count
