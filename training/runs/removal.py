"""Deleting a run's files: renamed, recorded in its row and timeline, and only then deleted. Never through a link."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.errors import BadBackup
from engine.interface.files import MANIFEST, PARTIAL, remove, verify
from engine.interface.free_space import mark_of
from training.live import publisher
from training.models import Artifact, Metric, Run
from training.runs.backups import backups
from web.errors import NotNow

METRICS_AT_ONCE = 20_000  # rows to delete in one transaction


def delete_with_files(
    run: Run, beat: Callable[[], object] = lambda: None, metrics_at_once: int = METRICS_AT_ONCE
) -> None:
    """Delete the run's rows, then its folder: a kill in between leaves only a folder without a row.

    Its metrics are deleted first, in parts: deleting millions of rows at once would block all other writes. `beat` is
    called in between.
    """
    folder = run.folder
    while Metric.objects.filter(pk__in=run.metrics.order_by().values("pk")[:metrics_at_once]).delete()[0]:
        beat()
    run.delete()
    remove(folder)


def delete_run(run: Run, beat: Callable[[], object] = lambda: None) -> None:
    """Delete an ended run with all its files; `beat` is called repeatedly during a long deletion."""
    if not run.is_ended:
        raise NotNow(_("Only an ended run can be deleted: stop or cancel it first."))
    delete_with_files(run, beat)


def why_it_stays(artifact: Artifact) -> str:
    """Why the artifact must not be deleted, in a sentence; empty if it may be deleted."""
    if artifact.pinned:
        return _("It is pinned: unpin it first.")
    if not lies_within(Path(artifact.path), artifact.run.folder):
        return _("It is outside the run's folder, and only files in that folder are deleted.")
    if artifact.kind == Artifact.Kind.MODEL and not _others(artifact).exists():
        return _("It is the run's only final model: delete the run instead.")
    if artifact.kind == Artifact.Kind.BACKUP and artifact.run.status != Run.Status.FINISHED:
        return _why_backup_stays(artifact)
    return ""


def _others(artifact: Artifact) -> QuerySet[Artifact]:
    return artifact.run.artifacts.filter(kind=artifact.kind, deleted_at=None).exclude(pk=artifact.pk)


def _why_backup_stays(backup: Artifact) -> str:
    run = backup.run
    if backup.path == run.resume_from and (run.is_active or run.status == Run.Status.QUEUED):
        return _("The run will continue from it.")
    if backup.pk in needed_backups(run):
        return _("It is the newest complete backup of a run that has not finished.")
    return ""


def needed_backups(run: Run) -> set[uuid.UUID]:
    """The newest backups, up to and including the first that is complete by names and sizes."""
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
    """True if the path is really in the folder: a link on the way may lead anywhere. The last name may be a link."""
    if not path.is_relative_to(folder) or not path.is_relative_to(settings.DATA_DIR) or ".." in path.parts:
        return False
    return path.parent.resolve() == settings.DATA_DIR.resolve() / path.parent.relative_to(settings.DATA_DIR)


def remove_by_hand(artifact: Artifact, by: User | None) -> None:
    """Delete one backup, save or model for a user; raises NotNow if it must be kept."""
    remove_artifact(artifact, _("Deleted by a user."), by=by)


def remove_artifact(artifact: Artifact, why: str, by: User | None = None) -> None:
    """Delete its files, and record who did it and why; raises NotNow if it must be kept."""
    if artifact.deleted_at is not None:
        raise NotNow(_("It is already deleted."))
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
def _note(artifact: Artifact, why: str, by: User | None) -> None:
    """A pin at the same moment wins: the row is changed only if it is not pinned."""
    facts = {"deleted_at": now(), "deleted_by": by, "deleted_why": why[:200]}
    there = Artifact.objects.filter(pk=artifact.pk, deleted_at=None, pinned=False)
    if not there.update(**facts):
        raise NotNow(_("It was pinned or deleted at the same time: reload and try again."))
    artifact.refresh_from_db()
    data = {"artifact": str(artifact.pk), "kind": artifact.kind, "global_step": artifact.global_step, "why": why}
    artifact.run.events.create(attempt=artifact.run.attempt, kind="removed", data=data, user=by)


def put_aside(path: Path) -> Path | None:
    """Rename it, so that nothing finds it while its files are deleted; None if it does not exist."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    return aside


def pin(artifact: Artifact, pinned: bool, by: User | None = None) -> None:
    """Pin it against all policies, or unpin it; raises NotNow if it is deleted."""
    changed = Artifact.objects.filter(pk=artifact.pk, deleted_at=None).exclude(pinned=pinned).update(pinned=pinned)
    artifact.refresh_from_db()
    mark(artifact)
    if pinned and not artifact.exists:
        Artifact.objects.filter(pk=artifact.pk).update(pinned=False)
        raise NotNow(_("It is deleted and cannot be pinned: choose another."))
    if changed:
        data = {"artifact": str(artifact.pk), "kind": artifact.kind, "global_step": artifact.global_step}
        kind = "pinned" if pinned else "unpinned"
        artifact.run.events.create(attempt=artifact.run.attempt, kind=kind, data=data, user=by)
        publisher.announce(artifact.run)


def mark(artifact: Artifact) -> None:
    """Mark the pin by a file beside the backup for the engine, which deletes old backups by its config."""
    path = Path(artifact.path)
    if artifact.kind != Artifact.Kind.BACKUP or not lies_within(path, artifact.run.folder) or not path.parent.is_dir():
        return
    if artifact.pinned:
        mark_of(path).touch()
    else:
        mark_of(path).unlink(missing_ok=True)
