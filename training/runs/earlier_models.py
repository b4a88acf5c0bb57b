"""The models that runs of this site wrote, which another run may replace."""

from __future__ import annotations

from pathlib import Path

from engine.interface.files import total_size
from training.models import Artifact

OURS = (Artifact.Kind.MODEL, Artifact.Kind.SAVE)


def is_earlier_model(path: Path) -> bool:
    """Whether a run of this site wrote the file or folder at this real path, and nobody changed its size since."""
    written = Artifact.objects.filter(path=str(path), kind__in=OURS, deleted_at=None, run__source="")
    sizes = set(written.values_list("size", flat=True))
    return bool(sizes) and (path.is_file() or path.is_dir()) and total_size(path) in sizes
