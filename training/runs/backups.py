"""The backups of a run, from its rows and the disk."""

from __future__ import annotations

from collections.abc import Iterator

from training.models import Artifact, Run


def backups(run: Run) -> Iterator[Artifact]:
    """The backups that still exist, newest first, even if the clock was set back in between."""
    there = run.artifacts.backups()
    return (backup for backup in there.order_by("-attempt", "-sequence") if backup.exists)


def newest_backup(run: Run) -> Artifact | None:
    return next(backups(run), None)
