"""The concepts and samples of a config, which may be in files of their own. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.builtin.config.train_config import ConceptConfig, SampleConfig, TrainConfig
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_files import strict_json
from engine.interface.paths import exists
from engine.paths.here import read_bytes
from engine.paths.policy import Purpose


def load_concepts(config: TrainConfig) -> list[ConceptConfig]:
    """The concepts, from the config or from the file that it names. Raises BadConfig."""
    if config.concepts is not None:
        return config.concepts
    return TrainConfig.from_dict({"concepts": _read_list(config, "concept_file_name")}).concepts or []


def load_samples(config: TrainConfig) -> list[SampleConfig]:
    """The samples, from the config or from the file that it names. Raises BadConfig."""
    if config.samples is not None:
        return config.samples
    return TrainConfig.from_dict({"samples": _read_list(config, "sample_definition_file_name")}).samples or []


def _read_list(config: TrainConfig, field: str) -> list[Any]:
    """The list in the JSON file that a setting names; empty if OneTrainer's usual file does not exist."""
    name = getattr(config, field)
    if name in ("", config.default_of(field)) and not exists(name):
        return []
    if not exists(name):
        raise BadConfig([Problem(field, f"the file {name[:200]!r} does not exist; choose an existing file")])
    if not Path(name).expanduser().is_file():  # reading a pipe would wait for its writer
        raise BadConfig([Problem(field, f"{name!r} is not a file; choose a JSON file")])
    try:
        items = strict_json(read_bytes(Path(name).expanduser(), Purpose.READ_CONFIG))
    except (OSError, ValueError, RecursionError) as error:
        raise BadConfig([Problem(field, f"the file {name!r} cannot be read as JSON: {error}")]) from error
    if not isinstance(items, list):
        raise BadConfig([Problem(field, f"the file {name!r} must hold a list")])
    return items
