"""What the doctor's tests look at: a run with its journal, and what is found of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from engine.interface.journal import FILE_NAME, JournalWriter
from operations.doctor.examination import SUBJECTS
from operations.doctor.finding import FINE, NOTE, Asked, Finding
from tests.making import make_run
from training.models import Run
from worker.ingest import JournalReader

PICTURE = b"\x89PNG\r\n\x1a\n" + b"pixels" + b"IEND\xaeB`\x82"
PROGRESS = {"epoch": 0, "epoch_step": 1, "epoch_sample": 2, "global_step": 1, "max_step": 3, "max_epoch": 2}


def found_by(title: str, *levels: str) -> list[Finding]:
    """What one subject's look finds, without what is fine; or of the given levels."""
    look = next(subject.look for subject in SUBJECTS if subject.title == title)
    findings = list(look(Asked()))
    return [one for one in findings if (one.level in levels if levels else one.level not in (FINE, NOTE))]


def mend(findings: list[Finding]) -> list[str]:
    return [finding.mend() for finding in findings if finding.mend]


def told_run(steps: int = 5, status: str = Run.Status.FINISHED, **fields: Any) -> Run:
    """A run whose journal was read to its end: metrics, a sample, a backup, and a warning."""
    run = make_run(status=Run.Status.RUNNING, **fields)
    journal = writer(run)
    journal.append("started", {"pid": 1})
    for step in range(steps):
        journal.append("metrics", {"step": step, "values": {"loss": 0.5, "lr/unet": 0.1}})
    journal.append("warning", {"message": "It is warm."})
    journal.append("sample", sample_of(run))
    journal.append("artifact", backup_of(run))
    read(run)
    Run.objects.filter(pk=run.pk).update(status=status)
    run.refresh_from_db()
    return run


def writer(run: Run) -> JournalWriter:
    run.attempt_folder.mkdir(parents=True, exist_ok=True)
    return JournalWriter(run.attempt_folder / FILE_NAME)


def read(run: Run) -> None:
    while JournalReader(run).read():
        continue


def sample_of(run: Run) -> dict[str, Any]:
    picture = run.folder / "workspace" / "samples" / "1.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(PICTURE)
    facts = {"kind": "default", "index": 0, "prompt": "a star", "settings": {}, "is_ema": False}
    return facts | {"path": str(picture), "progress": PROGRESS}


def backup_of(run: Run) -> dict[str, Any]:
    from engine.builtin.training.checkpoint import write_backup
    from engine.interface.progress import TrainProgress

    folder = run.folder / "workspace" / "backup"
    path = write_backup(folder, TrainProgress(), {}, lambda beside: (beside / "weights").write_text("weights") and None)
    return {"kind": "backup", "path": str(path), **PROGRESS}


def data_file(name: str) -> Any:
    path = settings.DATA_DIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
