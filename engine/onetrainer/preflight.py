"""The check of a config before OneTrainer trains it: the rules of every trainer. No torch, nothing of OneTrainer.

OneTrainer knows more models and settings than the built-in trainer, so only certain problems prevent a start: a base
model, a folder or a destination that cannot be used, and pictures that cannot be read. Other problems are warnings, or
are not checked.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

from engine.builtin import preflight as parts
from engine.builtin.config.lists import load_concepts, load_samples
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.builtin.data.scan import ONETRAINER
from engine.builtin.families.model_files import find_model, kind_of
from engine.builtin.inspection.embeddings import look_at_starting_embeddings
from engine.builtin.inspection.starting_lora import look_at_starting_lora
from engine.interface.data_facts import FILE_NAME, changes, data_facts, read_concepts
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject
from engine.interface.position import place_in_other_data
from engine.interface.preflight import PreflightResult, Report, failures_as_problems
from engine.interface.progress import TrainProgress

VIDEOS = {".mp4", ".webm", ".mkv", ".mov", ".avi"}


def preflight(settings: JsonObject, gpus: list[JsonObject], report: Report = lambda *_: None) -> PreflightResult:
    """The problems that would stop OneTrainer here, and the resources that the run will take, for known models."""
    config = as_far_as_known(settings)
    problems: list[Problem] = []
    model, batches = None, 0
    with failures_as_problems(problems, "concepts", "the list of concepts or samples"):
        config.concepts, config.samples = load_concepts(config), load_samples(config)
    if problems:
        return PreflightResult(problems)
    report("the base model", 0, 0)
    is_known = bool(kind_of(config.model_type))
    with failures_as_problems(problems, "base_model_name", "the base model"):
        model, found = parts.look_at_model(config, report)
        is_missing = find_model(config.base_model_name, config.huggingface_cache_dir) is None
        problems += found if is_known or is_missing else []
    if Path(config.lora_model_name).suffix.lower() == ".safetensors":  # a backup's folder is also possible here
        with failures_as_problems(problems, "lora_model_name", "the LoRA to start from"):
            problems += look_at_starting_lora(config, model)
    with failures_as_problems(problems, "embedding.model_name", "an embedding to start from"):
        problems += look_at_starting_embeddings(config, model)
    with failures_as_problems(problems, "output_model_destination", "the destination"):
        problems += [one for one in parts.look_at_destination(config) if one.is_error]  # an existing file is kept
    with failures_as_problems(problems, "concepts", "a picture or a caption"):
        batches, found = _look_at_pictures(config, report)
        problems += found
    if not (is_known and batches):
        return PreflightResult(problems)
    tight: list[Problem] = []
    estimate = parts.estimate(config, model, batches, gpus, tight, report)
    return PreflightResult([*problems, *(replace(one, severity="warning") for one in tight)], estimate)


def _look_at_pictures(config: TrainConfig, report: Report) -> tuple[int, list[Problem]]:
    config.concepts = [_as_pictures(concept) for concept in config.concepts or []]
    has_pictures = any(concept.enabled for concept in config.concepts)
    batches, found = parts.look_at_pictures(config, report, ONETRAINER) if has_pictures else (0, [])
    return batches, [one if one.field.startswith("concepts") else replace(one, severity="warning") for one in found]


def compare_files(settings: JsonObject, backup: Path, report: Report) -> list[Problem]:
    """How a run continues from the backup if its data changed since, as a warning; empty if the backup lacks its data.

    OneTrainer's own backups, of a training outside this site, do not say which data they were trained on.
    """
    report("pictures and captions", 0, 0)
    if not (backup / FILE_NAME).exists():
        return []
    saved = json.loads((backup / FILE_NAME).read_text(encoding="utf-8"))
    progress = TrainProgress(**json.loads((backup / "meta.json").read_text(encoding="utf-8"))["train_progress"])
    concepts = read_concepts(settings)
    if not all(Path(concept.get("path") or "").is_dir() for concept in concepts if concept.get("enabled", True)):
        return []  # a start refuses a missing folder, or OneTrainer reads the concept from elsewhere
    changed = changes(saved, data_facts(settings, concepts))
    notice = place_in_other_data(progress, changed, int(settings.get("epochs") or 0)).notice
    return [Problem("concepts", notice, "warning")] if notice else []


def as_far_as_known(settings: JsonObject) -> TrainConfig:
    """The config without names and values of a newer OneTrainer that are not known here."""
    try:
        return TrainConfig.from_dict(settings)
    except BadConfig as error:
        unknown = {problem.field.partition(".")[0] for problem in error.problems}
        return TrainConfig.from_dict({name: value for name, value in settings.items() if name not in unknown})


def _as_pictures(concept: ConceptConfig) -> ConceptConfig:
    """A copy that is skipped if the folder has videos."""
    looked_at = copy.deepcopy(concept)
    folder = Path(concept.path)
    if concept.path and folder.is_dir():
        looked_at.enabled = concept.enabled and not any(file.suffix.lower() in VIDEOS for file in folder.rglob("*"))
    return looked_at
