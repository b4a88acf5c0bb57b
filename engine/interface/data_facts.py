"""The training data of a OneTrainer config, as far as its files show them: compared before a training continues.

Standard library alone: OneTrainer's own Python uses it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.interface.json_types import JsonObject

FILE_NAME = "training_data.json"  # beside a backup's own files
PICTURES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"}
VIDEOS = {".webm", ".mkv", ".flv", ".avi", ".mov", ".wmv", ".mp4", ".mpeg", ".m4v"}
MASKS = ("-masklabel.png", "-condlabel.png")
OF_CONFIG = ("batch_size", "resolution", "aspect_ratio_bucketing")
NAMES = {"pictures": "pictures", "batch_size": "as batch_size"}


def data_facts(config: JsonObject, concepts: list[JsonObject]) -> JsonObject:
    """What decides which pictures an epoch has: `identity` is a sha256 over all of it.

    Files count by name and size. A concept that is read from elsewhere, or is missing, counts without files.
    """
    enabled = [concept for concept in concepts if concept.get("enabled", True)]
    files = [sorted(_files(concept)) for concept in enabled]
    facts = [[config.get(name) for name in OF_CONFIG], [_settings(concept) for concept in enabled], files]
    return {
        "identity": hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest(),
        "pictures": sum(map(len, files)),
        "batch_size": config.get("batch_size"),
    }


def _settings(concept: JsonObject) -> list[Any]:
    image = concept.get("image") or {}
    override = str(image.get("resolution_override")) if image.get("enable_resolution_override") else ""
    balancing = float(concept.get("balancing") or 0)
    return [balancing, str(concept.get("balancing_strategy")), str(concept.get("type")), override]


def _files(concept: JsonObject) -> Iterator[tuple[str, int]]:
    folder = Path(str(concept.get("path") or "")).expanduser()
    if not (concept.get("path") and folder.is_dir()):
        return
    found = folder.rglob("*") if concept.get("include_subdirectories") else folder.iterdir()
    for path in found:
        if path.suffix.lower() in PICTURES | VIDEOS and not path.name.endswith(MASKS) and path.is_file():
            yield str(path.relative_to(folder)), path.stat().st_size


def read_concepts(config: JsonObject) -> list[JsonObject]:
    """The concepts in the config, or in the file that it names."""
    if config.get("concepts") is not None:
        return list(config["concepts"])
    return list(json.loads(Path(str(config["concept_file_name"])).read_text(encoding="utf-8")))


def changes(saved: JsonObject, present: JsonObject) -> str:
    """What differs between two data facts, in words; empty if they are the same."""
    if saved.get("identity") == present["identity"]:
        return ""
    different = [name for name in NAMES if saved.get(name) != present[name]]
    said = [f"{present[name]} {NAMES[name]} instead of {saved.get(name)}" for name in different]
    return ", ".join(said) or "other pictures, sizes or repeats"
