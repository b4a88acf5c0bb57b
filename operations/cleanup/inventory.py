"""Disk usage of the data folder, counted in one walk that follows no links."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now

from engine.interface.files import PARTIAL
from engine.interface.json_types import JsonObject
from engine.launcher import LOG_FILE
from training.models import Run
from web.ids import as_uuid

KINDS = ("backups", "saves", "models", "samples", "caches", "logs", "leftovers", "orphans")
OF_A_RUN = {
    ("workspace", "backup"): "backups",
    ("workspace", "save"): "saves",
    ("workspace", "samples"): "samples",
    ("thumbnails",): "samples",
    ("workspace", "cache"): "caches",
    ("workspace", "tensorboard"): "logs",
}
ORPHAN_SECONDS = 3600  # a new run has its folder before its row is committed
MOST_RUNS = 500  # shown, the largest


@dataclass
class Thing:
    """Files that can be deleted and have no row; `paths` are within the data folder."""

    kind: str
    label: str
    paths: list[str]
    run: str = ""
    bytes: int = 0
    count: int = 0
    newest: float = 0.0  # seconds since 1970

    def add(self, size: int, modified: float) -> None:
        self.bytes += size
        self.count += 1
        self.newest = max(self.newest, modified)


@dataclass
class Inventory:
    """The result of a walk."""

    folders: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kinds: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    things: dict[tuple[str, str], Thing] = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        disk = shutil.disk_usage(settings.DATA_DIR)
        names = {str(key): name for key, name in Run.objects.filter(pk__in=self._ids()).values_list("pk", "name")}
        runs: list[JsonObject] = [
            {"id": key, "name": names.get(key, ""), "bytes": sum(kinds.values()), "kinds": kinds}
            for key, kinds in self.runs.items()
        ]
        return {
            "measured_at": now().isoformat(),
            "disk": {"total": disk.total, "free": disk.free},
            "bytes": sum(self.folders.values()),
            "folders": dict(sorted(self.folders.items(), key=lambda pair: -pair[1])),
            "kinds": dict(self.kinds),
            "runs": sorted(runs, key=lambda run: -run["bytes"])[:MOST_RUNS],
            "things": [asdict(thing) for thing in self.things.values() if thing.count],
        }

    def _ids(self) -> list[uuid.UUID]:
        return [found for key in self.runs if (found := as_uuid(key))]


def take_inventory(beat: Callable[[], None] = lambda: None) -> JsonObject:
    """Walk through the data folder; `beat` is called again and again."""
    found = Inventory()
    known = {str(key) for key in Run.objects.values_list("pk", flat=True)}
    for entry in os.scandir(settings.DATA_DIR):
        if entry.name == "runs" and entry.is_dir(follow_symlinks=False):
            for folder in os.scandir(entry.path):
                _count_run(found, Path(folder.path), folder.name in known, beat)
        else:
            _count_other(found, Path(entry.path), beat)
    return found.to_dict()


def _count_run(found: Inventory, folder: Path, is_known: bool, beat: Callable[[], None]) -> None:
    name = folder.name
    is_orphan = not is_known and as_uuid(name) is not None and _age(folder) > ORPHAN_SECONDS
    kinds: dict[str, int] = defaultdict(int)
    for path, size, modified in walk(folder, beat):
        kind = "orphans" if is_orphan else _kind_of(path.relative_to(folder).parts)
        kinds[kind] += size
        thing = _thing_of(kind, path, folder)
        if thing is not None and (is_known or is_orphan):
            found.things.setdefault((kind, thing.paths[0] if kind == "leftovers" else name), thing).add(size, modified)
    for kind, size in kinds.items():
        found.kinds[kind] += size
        found.folders["runs"] += size
    if kinds:
        found.runs[name] = dict(kinds)


def _kind_of(parts: tuple[str, ...]) -> str:
    if any(part.endswith(PARTIAL) for part in parts):
        return "leftovers"
    if parts[0] == "attempts":
        return "logs" if parts[-1] == LOG_FILE else "records"
    if len(parts) == 1 or parts[0] not in ("workspace", "thumbnails"):
        return "models"
    return OF_A_RUN.get(parts[:1]) or OF_A_RUN.get(parts[:2]) or "records"


def _thing_of(kind: str, path: Path, folder: Path) -> Thing | None:
    """The deletable thing without a row that the file belongs to, if any."""
    if kind == "orphans":
        return Thing(kind, folder.name, [_within(folder)])
    if kind == "caches":
        return Thing(kind, "", [_within(folder / "workspace" / "cache")], folder.name)
    if kind == "logs":
        return Thing(kind, "", [_within(folder / "attempts"), _within(folder / "workspace/tensorboard")], folder.name)
    if kind == "leftovers":
        parts = path.relative_to(settings.DATA_DIR).parts
        place = next(number for number, part in enumerate(parts, start=1) if part.endswith(PARTIAL))
        return Thing(kind, parts[place - 1], [str(Path(*parts[:place]))], folder.name)
    return None


def _count_other(found: Inventory, path: Path, beat: Callable[[], None]) -> None:
    """Files outside runs: only caches, which are encoded again when needed, can be deleted."""
    for file, size, modified in walk(path, beat):
        found.folders[path.name] += size
        if path.name != "cache" or path == file:
            continue
        is_thumbnail = file.relative_to(path).parts[0] == "thumbnails"
        label, place = ("thumbnails", path / "thumbnails") if is_thumbnail else ("encoded", path)
        found.things.setdefault(("caches", label), Thing("caches", label, [_within(place)])).add(size, modified)
        found.kinds["caches"] += size


def measure(thing: Thing) -> Thing:
    """The same thing as it is now."""
    present = Thing(thing.kind, thing.label, thing.paths, thing.run)
    for place in thing.paths:
        for path, size, modified in files_of(thing, settings.DATA_DIR / place):
            del path
            present.add(size, modified)
    return present


def files_of(thing: Thing, place: Path) -> Iterator[tuple[Path, int, float]]:
    """(file, bytes, modification time) of the thing's files in one of its places."""
    for path, size, modified in walk(place, lambda: None):
        parts = path.relative_to(settings.DATA_DIR).parts
        is_record = thing.kind == "logs" and parts[2] == "attempts" and parts[-1] != LOG_FILE
        is_thumbnail = thing.label == "encoded" and parts[:2] == ("cache", "thumbnails")
        if not (is_record or is_thumbnail):
            yield path, size, modified


def walk(path: Path, beat: Callable[[], None]) -> Iterator[tuple[Path, int, float]]:
    """(file, bytes on the disk, modification time) of all files below; a link counts as itself."""
    beat()
    try:
        facts = path.lstat()
        if path.is_dir() and not path.is_symlink():
            for entry in os.scandir(path):
                yield from walk(Path(entry.path), beat)
            return
    except FileNotFoundError:
        return
    yield path, facts.st_size, facts.st_mtime


def _within(path: Path) -> str:
    return str(path.relative_to(settings.DATA_DIR))


def _age(path: Path) -> float:
    return time.time() - path.lstat().st_mtime
