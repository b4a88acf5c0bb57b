"""The download of a run's models, in the check before a start: its size, and whether it fits beside the run's files."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.builtin.estimates.disk import existing_parent
from engine.builtin.families.model_files import hub_cache
from engine.hub_files import bytes_to_fetch
from engine.interface.errors import Problem
from engine.interface.free_space import in_words
from engine.interface.json_types import JsonObject
from engine.interface.preflight import PreflightResult
from engine.needed_models import missing_models

DOWNLOAD = "base model"  # the part of the estimate


def add_download(result: PreflightResult, config: JsonObject, engine: str) -> None:
    """Add the models that must be fetched to the estimate of the disk, and a problem if they do not fit."""
    cache_dir = str(config.get("huggingface_cache_dir") or "")
    sizes = {name: bytes_to_fetch(name, cache_dir) for name in missing_models(config, engine)}
    total = sum(size or 0 for size in sizes.values())
    if not total:
        return
    folder = existing_parent(hub_cache(cache_dir))
    beside = _of_the_run(result) if _same_disk(folder, str(config.get("workspace_dir") or "")) else 0
    free = shutil.disk_usage(folder).free
    if total + beside > free:
        text = f"{', '.join(sizes)} needs {in_words(total)} on the disk of {folder}"
        own = f" and the run itself {in_words(beside)}" if beside else ""
        result.problems.append(
            Problem("base_model_name", f"{text}{own}, and {in_words(free)} are free; free some space first")
        )
    disk = result.estimate.get("disk") or {"total": 0, "parts": {}}
    result.estimate["disk"] = {"total": disk["total"] + total, "parts": {DOWNLOAD: total, **disk["parts"]}}


def _of_the_run(result: PreflightResult) -> int:
    return int((result.estimate.get("disk") or {}).get("total", 0))


def _same_disk(folder: Path, workspace: str) -> bool:
    return not workspace or existing_parent(Path(workspace)).stat().st_dev == folder.stat().st_dev
