"""The check of a config before OneTrainer trains it. No torch, nothing of OneTrainer.

OneTrainer knows more models and settings than the built-in trainer, so only what would certainly fail prevents a start.
What the installed version loads, reads and cuts comes from its own facts; without them, less is checked.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from engine.builtin import preflight as parts_of_check
from engine.builtin.config.lists import load_concepts, load_samples
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.concepts import DEFAULT_SIZE_MULTIPLE
from engine.builtin.estimates import disk
from engine.builtin.estimates import memory as of_unets
from engine.builtin.families.model_files import SD1, SD2, SDXL, ModelFiles, NotAModel, find_model, kind_of, read_model
from engine.builtin.inspection.embeddings import look_at_starting_embeddings
from engine.builtin.inspection.folders import look_at_tokenizers
from engine.builtin.inspection.starting_lora import look_at_starting_lora
from engine.builtin.inspection.weights import look_at_weights
from engine.interface.data_facts import FILE_NAME, changes, data_facts, read_concepts
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject
from engine.interface.pickles import is_pickle
from engine.interface.position import place_in_other_data
from engine.interface.preflight import PreflightResult, Report, failures_as_problems
from engine.interface.progress import TrainProgress
from engine.onetrainer.checks import memory
from engine.onetrainer.checks.data import Kinds, look_at_place
from engine.onetrainer.checks.known_sizes import known_model
from engine.onetrainer.checks.models import BASE, FoundModel, look_at_models
from engine.onetrainer.checks.reading import size_multiple

FACTS_SECONDS = 60.0  # for the first check after an update of OneTrainer
UNETS = (SD1, SD2, SDXL)  # whose files and activations the built-in trainer's checks know


class _Subject(NamedTuple):
    """A config in both forms, its model's parts, and what of them is on this machine."""

    settings: JsonObject
    config: TrainConfig
    parts: list[str]
    found: FoundModel
    model: ModelFiles | None


def preflight(
    settings: JsonObject,
    gpus: list[JsonObject],
    report: Report = lambda *_: None,
    facts: JsonObject | None = None,
) -> PreflightResult:
    """The problems that would stop OneTrainer here, and the resources that the run will take.

    `facts` are those of the checkout; None if they cannot be had now.
    """
    config = as_far_as_known(settings)
    problems: list[Problem] = []
    with failures_as_problems(problems, "concepts", "the list of concepts or samples"):
        config.concepts, config.samples = load_concepts(config), load_samples(config)
    if problems:
        return PreflightResult(problems)
    parts = _parts(settings, facts)
    found, model = FoundModel(), None
    report("the base model", 0, 0)
    with failures_as_problems(problems, BASE, "the base model"):
        found, more = look_at_models(settings, parts, facts["named_parts"] if facts else parts)
        model = _known_files(config)
        problems += [*more, *_without_tokenizer(config)]
        problems += _wrong_type(config, model)
        problems += look_at_weights(found.files, partial(report, "the weights of the base model"))
    with failures_as_problems(problems, "lora_model_name", "the LoRA to start from"):
        problems += _look_at_adapters(config, model)
    with failures_as_problems(problems, "output_model_destination", "the destination"):
        problems += [one for one in parts_of_check.look_at_destination(config) if one.is_error]  # a file is kept
    batches = 0
    with failures_as_problems(problems, "concepts", "a picture or a caption"):
        multiple = size_multiple(settings, facts) if facts else DEFAULT_SIZE_MULTIPLE
        batches, more = _look_at_data(config, Kinds.of(facts, settings.get("model_type")), multiple, report)
        problems += more
    report("memory and disk", 0, 0)
    estimate: JsonObject = {"gpus": gpus, "batches": batches}
    with failures_as_problems(problems, "workspace_dir", "memory and disk"):
        estimate |= _estimate(_Subject(settings, config, parts, found, model), batches, gpus, problems)
    return PreflightResult(problems, estimate)


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


def _parts(settings: JsonObject, facts: JsonObject | None) -> list[str]:
    """The parts of this model type; without facts those of its published model, so that its size is known."""
    model_type = str(settings.get("model_type"))
    if facts is not None:
        return list(facts["model_parts"].get(model_type, ()))
    known = known_model(model_type, str(settings.get(BASE)))
    return list(known.parts) if known else []


def _known_files(config: TrainConfig) -> ModelFiles | None:
    """What the built-in trainer reads of a model; None for a layout that only OneTrainer knows."""
    path = find_model(config.base_model_name, config.huggingface_cache_dir)
    try:
        return read_model(path) if path else None
    except NotAModel:  # its own problems are found by part
        return None


def _without_tokenizer(config: TrainConfig) -> Iterator[Problem]:
    """Without its tokenizer, a text encoder would be trained on wrong tokens."""
    path = find_model(config.base_model_name, config.huggingface_cache_dir)
    if path is not None and path.is_dir() and config.text_encoder.include:
        yield from (parts_of_check.as_problem(config, error) for error in look_at_tokenizers(path))


def _wrong_type(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    if model is not None and kind_of(config.model_type):
        yield from parts_of_check.wrong_type(config, model)
        yield from parts_of_check.other_prediction(config, model)


def _look_at_adapters(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    """Files of other kinds are named by `look_at_models`; a LoRA may also be a backup's folder."""
    if Path(config.lora_model_name).suffix.lower() == ".safetensors" and Path(config.lora_model_name).exists():
        yield from look_at_starting_lora(config, model)
    config = copy.deepcopy(config)
    for one in (config.embedding, *config.additional_embeddings):
        if is_pickle(one.model_name) or not Path(one.model_name).is_file():
            one.model_name = ""
    yield from look_at_starting_embeddings(config, model)


def _look_at_data(config: TrainConfig, kinds: Kinds, multiple: int, report: Report) -> tuple[int, list[Problem]]:
    """(batches in an epoch as far as they are known here, problems); pictures are decoded, videos are not."""
    problems: list[Problem] = []
    config = copy.deepcopy(config)
    for number, concept in enumerate(config.concepts or []):
        if concept.enabled:
            concept.enabled, more = look_at_place(number, concept.path, kinds)
            problems += more
    if not any(concept.enabled for concept in config.concepts or []):
        return 0, problems
    batches, more = parts_of_check.look_at_pictures(config, report, kinds.pictures, multiple)
    more = [one if one.field.startswith("concepts") else replace(one, severity="warning") for one in more]
    return batches, list(dict.fromkeys([*problems, *more]))


def _estimate(subject: _Subject, batches: int, gpus: list[JsonObject], problems: list[Problem]) -> JsonObject:
    """Memory of the model's own family, and the disk space of families that the built-in trainer knows."""
    estimate: JsonObject = {}
    settings, config, parts, model = subject.settings, subject.config, subject.parts, subject.model
    kind = kind_of(config.model_type)
    sizes = memory.sizes_of(settings, parts, subject.found.shapes or (model.shapes if model else {}))
    if sizes is None:
        what = "the size of this model is not known here, so the memory that the run needs cannot be estimated"
        problems.append(Problem("model_type", f"{what}; watch the first steps", "warning"))
    else:
        of_unet = of_unets.estimate_memory(config, model, bool(gpus)).parts if kind in UNETS else {}
        need = memory.estimate_memory(settings, parts, sizes, of_unet.get("activations"))
        tight = parts_of_check.compare_memory(config, need, gpus)
        problems += [replace(one, severity="warning") for one in tight]
        estimate["memory"] = need.to_dict()
    if kind in UNETS and batches:
        space = disk.estimate_disk(config, model, batches)
        problems += [replace(one, severity="warning") for one in parts_of_check.compare_disk(config, space)]
        estimate["disk"] = space.to_dict()
    return estimate
