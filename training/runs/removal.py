"""Removing what a run wrote: put aside, noted in its row and timeline, and only then gone. Never through a link."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.errors import BadBackup
from engine.interface.files import MANIFEST, PARTIAL, remove, verify
from engine.interface.free_space import mark_of
from training.live import publisher
from training.models import Artifact, Metric, Run
from training.runs.backups import backups
from web.errors import NotNow

METRICS_AT_ONCE = 20_000  # rows that are deleted in one transaction


def delete_with_files(run: Run, beat: Callable[[], object] = lambda: None) -> None:
    """Remove the run's rows, then its folder: a kill in between leaves only a folder that no row names.

    Its metrics go first, a part at a time: nobody else could write while millions of rows go at once. `beat` is called
    in between.
    """
    folder = run.folder
    while Metric.objects.filter(pk__in=run.metrics.order_by().values("pk")[:METRICS_AT_ONCE]).delete()[0]:
        beat()
    run.delete()
    remove(folder)


def delete_run(run: Run, beat: Callable[[], object] = lambda: None) -> None:
    """Remove an ended run with all its files; `beat` is called again and again while that takes its time."""
    if not run.is_ended:
        raise NotNow(_("Only an ended run can be deleted: stop or cancel it first."))
    delete_with_files(run, beat)


def why_it_stays(artifact: Artifact) -> str:
    """Why the artifact must not be removed, in a sentence; empty where it may be."""
    if artifact.pinned:
        return _("It is pinned: unpin it first.")
    if not lies_within(Path(artifact.path), artifact.run.folder):
        return _("It lies outside of the run's folder, where nothing is removed.")
    if artifact.kind == Artifact.Kind.MODEL and not _others(artifact).exists():
        return _("It is the run's only final model: remove the run instead.")
    if artifact.kind == Artifact.Kind.BACKUP and artifact.run.status != Run.Status.FINISHED:
        return _why_backup_stays(artifact)
    return ""


def _others(artifact: Artifact) -> Any:
    return artifact.run.artifacts.filter(kind=artifact.kind, deleted_at=None).exclude(pk=artifact.pk)


def _why_backup_stays(backup: Artifact) -> str:
    run = backup.run
    if backup.path == run.resume_from and (run.is_active or run.status == Run.Status.QUEUED):
        return _("The run goes on from it.")
    if backup.pk in needed_backups(run):
        return _("It is the newest whole backup of a run that has not finished.")
    return ""


def needed_backups(run: Run) -> set[uuid.UUID]:
    """From the newest backup back to the first that is whole, as far as names and sizes tell."""
    needed = set()
    for backup in backups(run):
        needed.add(backup.pk)
        if not backup.is_damaged and _looks_whole(Path(backup.path)):
            break
    return needed


def _looks_whole(backup: Path) -> bool:
    if not (backup / MANIFEST).exists():
        return True  # of an older version
    try:
        verify(backup, hashes=False)
    except BadBackup:
        return False
    return True


def lies_within(path: Path, folder: Path) -> bool:
    """Whether it really lies there: a link on the way to it may lead anywhere. The last name may be a link itself."""
    if not path.is_relative_to(folder) or not path.is_relative_to(settings.DATA_DIR) or ".." in path.parts:
        return False
    return path.parent.resolve() == settings.DATA_DIR.resolve() / path.parent.relative_to(settings.DATA_DIR)


def remove_by_hand(artifact: Artifact, by: Any) -> None:
    """Remove one backup, save or model because somebody asked for it; raises NotNow where it has to stay."""
    remove_artifact(artifact, _("Removed by hand."), by=by)


def remove_artifact(artifact: Artifact, why: str, by: Any = None) -> None:
    """Remove its files, and note who did it and why; raises NotNow where it has to stay."""
    if artifact.deleted_at is not None:
        raise NotNow(_("It is removed already."))
    if reason := why_it_stays(artifact):
        raise NotNow(reason)
    aside = put_aside(Path(artifact.path))
    try:
        _note(artifact, why, by)
    except BaseException:
        if aside is not None:
            aside.rename(artifact.path)
        raise
    if aside is not None:
        remove(aside)
    publisher.announce(artifact.run)


@transaction.atomic
def _note(artifact: Artifact, why: str, by: Any) -> None:
    """A pin that comes at this moment comes first: the row is changed only while it is not pinned."""
    facts = {"deleted_at": now(), "deleted_by": by, "deleted_why": why[:200]}
    there = Artifact.objects.filter(pk=artifact.pk, deleted_at=None, pinned=False)
    if not there.update(**facts):
        raise NotNow(_("It was pinned or removed at this moment: look at it again."))
    artifact.refresh_from_db()
    data = {"artifact": str(artifact.pk), "kind": artifact.kind, "global_step": artifact.global_step, "why": why}
    artifact.run.events.create(attempt=artifact.run.attempt, kind="removed", data=data, user=by)


def put_aside(path: Path) -> Path | None:
    """Rename it, so that nothing finds it while its files go; None where it is not there."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    return aside


def pin(artifact: Artifact, pinned: bool, by: Any = None) -> None:
    """Keep it whatever the policies say, or no longer; raises NotNow where it is gone."""
    changed = Artifact.objects.filter(pk=artifact.pk, deleted_at=None).exclude(pinned=pinned).update(pinned=pinned)
    artifact.refresh_from_db()
    mark(artifact)
    if pinned and not artifact.exists:
        Artifact.objects.filter(pk=artifact.pk).update(pinned=False)
        raise NotNow(_("It is gone, so it cannot be pinned: choose another one."))
    if changed:
        data = {"artifact": str(artifact.pk), "kind": artifact.kind, "global_step": artifact.global_step}
        kind = "pinned" if pinned else "unpinned"
        artifact.run.events.create(attempt=artifact.run.attempt, kind=kind, data=data, user=by)
        publisher.announce(artifact.run)


def mark(artifact: Artifact) -> None:
    """Tell the engine too, which removes old backups by its config: by a file beside the backup."""
    path = Path(artifact.path)
    if artifact.kind != Artifact.Kind.BACKUP or not lies_within(path, artifact.run.folder) or not path.parent.is_dir():
        return
    if artifact.pinned:
        mark_of(path).touch()
    else:
        mark_of(path).unlink(missing_ok=True)
