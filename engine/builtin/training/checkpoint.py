"""Backups: whole or not there. A folder of files with a manifest, written beside, checked, and renamed. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from engine.interface.errors import BadBackup
from engine.interface.files import verify, write_manifest, written_beside
from engine.interface.json_types import JsonObject
from engine.interface.progress import TrainProgress

META = "meta.json"
WEIGHTS, GRADIENTS, EMA = "weights.safetensors", "gradients.safetensors", "ema.safetensors"
OPTIMIZER = "optimizer.pt"


def backup_name(progress: TrainProgress) -> str:
    """Named as in OneTrainer: time, global step, epoch and step in the epoch."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}-backup-{progress.filename_string()}"


def write_backup(folder: Path, progress: TrainProgress, meta: JsonObject, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder beside, add meta and manifest, rename it into `folder`, and return its path."""
    final = unused(folder / backup_name(progress))
    with written_beside(final) as beside:
        beside.mkdir(parents=True)
        write(beside)
        (beside / META).write_text(json.dumps(meta, indent=1))
        write_manifest(beside)
        verify(beside)
    return final


def is_whole(backup: Path) -> bool:
    """True if every file is there as it was written, to the last bit."""
    try:
        verify(backup)
    except BadBackup:
        return False
    return True


def read_meta(backup: Path) -> JsonObject:
    return json.loads((backup / META).read_text())


def unused(path: Path) -> Path:
    """The path itself, or the path with a number that is not taken."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate
