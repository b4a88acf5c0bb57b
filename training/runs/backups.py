"""The backups that a run has left, as its rows and the disk say."""

from __future__ import annotations

from collections.abc import Iterator

from training.models import Artifact, Run


def backups(run: Run) -> Iterator[Artifact]:
    """The backups that still exist, newest first, whatever the clock did meanwhile."""
    there = run.artifacts.filter(kind=Artifact.Kind.BACKUP, deleted_at=None, is_damaged=False)
    return (backup for backup in there.order_by("-attempt", "-sequence") if backup.exists)


def newest_backup(run: Run) -> Artifact | None:
    return next(backups(run), None)
