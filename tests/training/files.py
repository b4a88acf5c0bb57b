"""Files that runs have written, with their rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils.timezone import now

from engine.builtin.training.checkpoint import write_backup
from engine.interface.files import size_of, write_manifest
from engine.interface.progress import TrainProgress
from samples.models import Sample
from training.models import Artifact, Run


def make_backup(run: Run, step: int, **facts: Any) -> Artifact:
    """A whole one; the higher its step, the newer."""
    folder = run.folder / "workspace" / "backup" / f"2026-01-01_00-00-00-backup-{step}-0-0"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(f'{{"step": {step}}}')
    write_manifest(folder)
    return make_artifact(run, folder, "backup", step, **facts)


def make_file(run: Run, kind: str, step: int, **facts: Any) -> Artifact:
    """A save, or a final model."""
    path = run.folder / f"{kind}-{step}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(step))
    return make_artifact(run, path, kind, step, **facts)


def make_artifact(run: Run, path: Path, kind: str, step: int, **facts: Any) -> Artifact:
    made = {
        "attempt": 1,
        "sequence": step,
        "size": size_of(path),
        "created_at": now() - timedelta(days=1, minutes=-step),
    }
    return Artifact.objects.create(run=run, path=str(path), kind=kind, global_step=step, **made | facts)


def make_sample(run: Run, step: int, index: int = 0, **facts: Any) -> Sample:
    path = run.folder / "workspace" / "samples" / f"{index}-{step}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture")
    made = {"attempt": 1, "sequence": 1000 * index + step, "created_at": now() - timedelta(days=1, minutes=-step)}
    return Sample.objects.create(run=run, path=str(path), index=index, global_step=step, **made | facts)


def back_up(run: Run, step: int) -> Path:
    """A backup of one file, as the built-in trainer writes them."""
    progress = TrainProgress(global_step=step)
    path = write_backup(run.folder / "backup", progress, {}, lambda folder: (folder / "weights").write_bytes(b"w" * 99))
    facts = {"attempt": run.attempt, "sequence": step, "global_step": step}
    run.artifacts.create(kind=Artifact.Kind.BACKUP, path=str(path), **facts)
    return path
