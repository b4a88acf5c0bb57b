"""Files against rows: every offered file exists and is complete, and every file belongs to a row."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import UnknownEngine, get_engine
from engine.interface.config_keys import keys_of
from engine.interface.errors import NotWritten
from engine.interface.files import MANIFEST, PARTIAL, leftovers, refuse_broken, remove, sha256_of, size_of
from operations.doctor.finding import MEND, Asked, Finding, counted, counted_are, fine, look_at, note, wrong
from samples.models import Sample
from training.models import Artifact, Run
from web.ids import as_uuid

DAY = 86_400.0  # seconds


def look(asked: Asked) -> Iterator[Finding]:
    yield from _artifacts(asked)
    yield from _hashes(asked)
    yield from _samples(asked)
    yield from _folders_without_a_run()
    yield from _half_written(asked)


# -- artifacts -------------------------------------------------------------------------------------------------


def _artifacts(asked: Asked) -> Iterator[Finding]:
    artifacts, outside = 0, 0
    for artifact in Artifact.objects.filter(deleted_at=None).select_related("run__worker").iterator(chunk_size=500):
        asked.beat()
        artifacts += 1
        outside += not Path(artifact.path).is_relative_to(settings.DATA_DIR)
        yield from _artifact(artifact)
    yield fine(f"{counted(artifacts, 'backup or model', 'backups and models')} checked.")
    if outside:
        sentence = f"{outside} of them are outside the data folder, and in no backup of it."
        yield note(sentence)


def _artifact(artifact: Artifact) -> Iterator[Finding]:
    what, path = _named(artifact), Path(artifact.path)
    if not path.exists():
        yield _gone(artifact, what)
    elif (size := size_of(path)) != artifact.size and not artifact.run.is_active:
        sentence = f"{what} has {counted(size, 'byte')} instead of {artifact.size:,}."
        yield wrong(sentence, "do not use it; restore it from a backup")
    elif artifact.kind == Artifact.Kind.BACKUP and not _is_whole(artifact):
        yield wrong(f"{what} is incomplete: files of it are missing or truncated.", "continue from an older one")


def _named(artifact: Artifact) -> str:
    """Named without its path, whose last part a person has chosen."""
    return f"The {artifact.get_kind_display()} of step {artifact.global_step} of run {artifact.run_id}"


def _gone(artifact: Artifact, what: str) -> Finding:
    sentence = f"{what} is missing."
    if not artifact.run.folder.is_dir():  # its disk may not be mounted, or it is on another host
        return wrong(f"{sentence} The run's whole folder is missing too.", "restore the folder, or delete the run")
    if artifact.kind == Artifact.Kind.BACKUP and keys_of(artifact.run.config).get("rolling_backup"):
        return note(f"{sentence} Newer ones replaced it, as the run's config says.", mend=partial(_mark, artifact))
    return look_at(
        sentence, "restore it, or mark it as removed with `manage.py doctor --mend`", partial(_mark, artifact)
    )


def _mark(artifact: Artifact) -> str:
    if Path(artifact.path).exists():
        return "It is there again."
    facts = {"deleted_at": now(), "deleted_why": _("It was missing when the doctor looked for it.")}
    Artifact.objects.filter(pk=artifact.pk, deleted_at=None).update(**facts)
    return "It is marked as removed."


def _is_whole(backup: Artifact) -> bool:
    try:
        return get_engine(backup.run.engine).is_whole(Path(backup.path))
    except UnknownEngine:
        return True  # only that engine knows


def _hashes(asked: Asked) -> Iterator[Finding]:
    """Newest first: those are the most likely to be used."""
    deadline, read, left = time.monotonic() + asked.hash_seconds, 0, 0
    for artifact in Artifact.objects.filter(deleted_at=None).exclude(sha256="").order_by("-created_at"):
        path = Path(artifact.path)
        if not path.exists() or size_of(path) != artifact.size:
            continue  # which is reported already
        if time.monotonic() > deadline:
            left += 1
            continue
        read += 1
        if not _is_unchanged(path, artifact.sha256, asked.beat):
            sentence = f"{_named(artifact)} was changed after it was written: its hash differs."
            yield wrong(sentence, "do not use it; restore it from a backup")
    more = f"; {left:,} left out to save time (--thorough reads all)" if left else ""
    yield fine(f"The hashes of {counted(read, 'file')} compared{more}.")


def _is_unchanged(path: Path, sha256: str, beat: Callable[[], object]) -> bool:
    """A folder's hash is that of its manifest, which holds those of its files."""
    manifest = path / MANIFEST
    if path.is_file():
        return sha256_of(path, beat) == sha256
    if not manifest.is_file() or sha256_of(manifest, beat) != sha256:
        return False
    files = json.loads(manifest.read_text())["files"]
    return all(sha256_of(path / name, beat) == facts["sha256"] for name, facts in files.items())


# -- samples ---------------------------------------------------------------------------------------------------


def _samples(asked: Asked) -> Iterator[Finding]:
    """Counted by run; otherwise a lost folder would be reported as ten thousand lost pictures."""
    count, gone, broken = 0, Counter[Any](), Counter[Any]()
    for run_id, path in Sample.objects.values_list("run_id", "path").iterator(chunk_size=5_000):
        asked.beat()
        count += 1
        try:
            refuse_broken(Path(path), Path(path).suffix)
        except FileNotFoundError:
            gone[run_id] += 1
        except NotWritten:
            broken[run_id] += 1
    for run_id, number in gone.items():
        yield look_at(f"Of run {run_id}, {counted_are(number, 'sample')} gone from the disk.", "restore its folder")
    for run_id, number in broken.items():
        yield wrong(f"Of run {run_id}, {counted_are(number, 'sample')} truncated.", "restore its folder")
    yield fine(f"{counted(count, 'sample')} checked.")


# -- files without a row ------------------------------------------------------------------------------------


def _folders_without_a_run() -> Iterator[Finding]:
    """The doctor never removes them: an older database, or another one, may know them."""
    runs = settings.DATA_DIR / "runs"
    folders = {entry.name for entry in runs.iterdir() if entry.is_dir()} if runs.is_dir() else set()
    known = {str(key) for key in Run.objects.values_list("pk", flat=True)}
    for name in sorted(folders - known):
        is_id = (key := as_uuid(name)) is not None and str(key) == name
        whose = f"The folder runs/{name}" if is_id else "A folder in runs, whose name is not a run's id,"
        sentence = f"{whose} belongs to no run in the database ({size_of(runs / name) / 1e6:.1f} MB)."
        yield look_at(sentence, "check its content, then remove it; or is this the wrong database?")


def _half_written(asked: Asked) -> Iterator[Finding]:
    """Half-written files and folders of killed processes; files of the last day may still be in progress."""
    found = [path for path in _leftovers(asked) if path.stat().st_mtime < time.time() - DAY]
    if found:
        size = sum(size_of(path) for path in found) / 1e6
        sentence = f"{counted_are(len(found), 'half-written file')} left half-written by a kill ({size:.1f} MB)."
        yield look_at(sentence, f"{MEND}, or remove files named *{PARTIAL}", partial(_remove, found))


def _leftovers(asked: Asked) -> Iterator[Path]:
    alive = Run.objects.active() | Run.objects.lost()
    active = {str(key) for key in alive.values_list("pk", flat=True)}
    for place in (settings.DATA_DIR / name for name in ("runs", "models", "cache")):
        for path in leftovers(place):
            asked.beat()
            if path.relative_to(place).parts[0] not in active:
                yield path


def _remove(found: list[Path]) -> str:
    for path in found:
        remove(path)
    return "They were removed."
