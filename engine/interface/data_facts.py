"""The training data of a OneTrainer config, as far as its files show them: compared before a training continues.

Standard library alone: OneTrainer's own Python uses it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from engine.interface.json_types import JsonObject

FILE_NAME = "training_data.json"  # beside a backup's own files
PICTURES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"}
VIDEOS = {".webm", ".mkv", ".flv", ".avi", ".mov", ".wmv", ".mp4", ".mpeg", ".m4v"}
MASKS = ("-masklabel.png", "-condlabel.png")
OF_CONFIG = ("batch_size", "resolution", "aspect_ratio_bucketing")
OF_CONCEPT = ("balancing", "balancing_strategy", "type", "include_subdirectories")


def data_facts(config: JsonObject, concepts: list[JsonObject]) -> JsonObject:
    """What decides which pictures an epoch has: the settings that are given, and a sha256 over the files.

    Files count by name and size. A concept that is read from elsewhere, or is missing, counts without files.
    """
    enabled = [concept for concept in concepts if concept.get("enabled", True)]
    files = [sorted(_files(concept)) for concept in enabled]
    return {
        "settings": _given(config, OF_CONFIG),
        "concepts": [_given(concept, OF_CONCEPT) | _override(concept) for concept in enabled],
        "files": hashlib.sha256(json.dumps(files).encode()).hexdigest(),
        "pictures": sum(map(len, files)),
    }


def _given(values: JsonObject, names: tuple[str, ...]) -> dict[str, str]:
    """The values as text; numbers alike whether whole or not."""
    given = {name: values[name] for name in names if values.get(name) is not None}
    return {name: f"{value:g}" if isinstance(value, (int, float)) else str(value) for name, value in given.items()}


def _override(concept: JsonObject) -> dict[str, str]:
    image = concept.get("image") or {}
    return {"resolution_override": str(image["resolution_override"])} if image.get("enable_resolution_override") else {}


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
    """What differs between two data facts, in words; empty if they are the same.

    A setting that is in only one of the two is left out: the other had its default, which is unknown here.
    """
    said = [f"{present['pictures']} pictures instead of {saved['pictures']}"] * (
        saved["pictures"] != present["pictures"]
    )
    said += [
        f"{name} {present['settings'][name]} instead of {value}"
        for name, value in saved["settings"].items()
        if present["settings"].get(name, value) != value
    ]
    same_concepts = len(saved["concepts"]) == len(present["concepts"]) and all(
        now.get(name, value) == value
        for before, now in zip(saved["concepts"], present["concepts"], strict=False)
        for name, value in before.items()
    )
    is_same = same_concepts and saved["files"] == present["files"]
    return ", ".join(said or ([] if is_same else ["other pictures, sizes or repeats"]))
