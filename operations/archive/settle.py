"""After an import: activities at the time of the export have ended here."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from engine.engines import UnknownEngine, get_engine
from operations.archive.manifest import Manifest
from system.data_folder import folder_identity
from system.models import Job, Worker
from training.models import Artifact, Run, RunCommand

CUT = _("It was training at the time of the export: continue it from its newest backup.")
LEFT_OUT = _("It was not part of the archive when the site was moved.")
MOVED = _("The site was moved: request it again.")


def settle(manifest: Manifest) -> None:
    """Runs that were active are interrupted, and artifacts without files are marked as removed."""
    Run.objects.update(data_folder=folder_identity())
    Run.objects.lost().update(error=str(CUT), error_reason="interrupted")  # its process is not on this host
    for run in Run.objects.active():
        run.move_to(Run.Status.INTERRUPTED, detail=str(CUT), error=str(CUT), error_reason="interrupted")
    ended = {"ended_at": now()}
    RunCommand.objects.filter(status__in=RunCommand.OPEN).update(
        status=RunCommand.Status.EXPIRED, detail=str(MOVED), **ended
    )
    Job.objects.open().update(status=Job.Status.FAILED, detail=str(MOVED), **ended)
    Worker.objects.update(status=Worker.Status.OFFLINE)
    for artifact in Artifact.objects.filter(deleted_at=None).select_related("run").iterator(chunk_size=500):
        if _should_be_here(artifact) and not _is_here(artifact):
            Artifact.objects.filter(pk=artifact.pk).update(deleted_at=now(), deleted_why=str(LEFT_OUT))


def _should_be_here(artifact: Artifact) -> bool:
    return Path(artifact.path).is_relative_to(settings.DATA_DIR)


def _is_here(artifact: Artifact) -> bool:
    """A backup that was replaced by a newer one during the export is incomplete."""
    path = Path(artifact.path)
    if artifact.kind != Artifact.Kind.BACKUP:
        return path.exists()
    try:
        return path.exists() and get_engine(artifact.run.engine).is_whole(path)
    except UnknownEngine:
        return True  # only that engine knows
