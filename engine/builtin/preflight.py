"""The check of a config on the machine that will train it; `engine.preflight` runs it. No torch.

The spec is {"config": {...}, "gpus": [{"name", "memory_total_gb"}]}; relative destinations were made absolute before.
Each printed line is one JSON object: {"stage", "current", "total"} during the check, and at the end {"problems":
[{field, message, severity}], "estimate": {...}}.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from engine.builtin.config.check import check
from engine.builtin.config.lists import load_concepts, load_samples
from engine.builtin.config.schedulers import warmup_updates
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.batches import EpochPlan
from engine.builtin.data.concepts import DEFAULT_SIZE_MULTIPLE, survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.data.position import DataLayout, place
from engine.builtin.data.token_counts import token_problems
from engine.builtin.estimates import disk, memory
from engine.builtin.families.model_files import (
    Incomplete,
    ModelFiles,
    NotAModel,
    find_model,
    kind_of,
    looks_like_hub_name,
    read_model,
)
from engine.builtin.inspection.embeddings import look_at_starting_embeddings
from engine.builtin.inspection.folders import files_of_weights, look_at_folder
from engine.builtin.inspection.layers import look_at_layers
from engine.builtin.inspection.single_files import look_at_single_file
from engine.builtin.inspection.starting_lora import look_at_starting_lora
from engine.builtin.inspection.weights import look_at_weights
from engine.builtin.reading.scan import BUILTIN, Reader
from engine.builtin.training.checkpoint import read_meta
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.interface.preflight import PreflightResult, Report, failures_as_problems
from engine.interface.progress import TrainProgress

GIB = 1024**3
TIGHT = 0.92  # share of a GPU's memory; a run that needs more may fail


def preflight(settings: JsonObject, gpus: list[JsonObject], report: Report = lambda *_: None) -> PreflightResult:
    """Every problem that would stop this config here, and the memory and disk space that its run will take."""
    problems = check(settings)
    if any(problem.is_error for problem in problems):
        return PreflightResult(problems)
    config = TrainConfig.from_dict(settings)
    model, batches = None, 0
    with failures_as_problems(problems, "concepts", "the list of concepts or samples"):
        config.concepts, config.samples = load_concepts(config), load_samples(config)
    if any(problem.is_error for problem in problems):
        return PreflightResult(problems)
    report("the base model", 0, 0)
    with failures_as_problems(problems, "base_model_name", "the base model"):
        model, found = look_at_model(config, report)
        problems += found
    with failures_as_problems(problems, "layer_filter", "the filter of layers"):
        problems += look_at_layers(config, model)
    with failures_as_problems(problems, "lora_model_name", "the LoRA to start from"):
        problems += look_at_starting_lora(config, model)
    with failures_as_problems(problems, "embedding.model_name", "an embedding to start from"):
        problems += look_at_starting_embeddings(config, model)
    with failures_as_problems(problems, "output_model_destination", "the destination"):
        problems += look_at_destination(config)
    with failures_as_problems(problems, "concepts", "a picture or a caption"):
        batches, found = look_at_pictures(config, report)
        problems += [*found, *_look_at_length(config, batches)]
    return PreflightResult(problems, estimate(config, model, batches, gpus, problems, report))


def estimate(
    config: TrainConfig,
    model: ModelFiles | None,
    batches: int,
    gpus: list[JsonObject],
    problems: list[Problem],
    report: Report,
) -> JsonObject:
    """The memory and disk space that the run will take; problems are added where the machine has less."""
    report("memory and disk", 0, 0)
    with failures_as_problems(problems, "workspace_dir", "memory and disk"):
        need = memory.estimate_memory(config, model, bool(gpus))
        space = disk.estimate_disk(config, model, batches)
        problems += [*compare_memory(config, need, gpus), *compare_disk(config, space)]
        return {"memory": need.to_dict(), "disk": space.to_dict(), "gpus": gpus, "batches": batches}
    return {}


def look_at_model(config: TrainConfig, report: Report) -> tuple[ModelFiles | None, list[Problem]]:
    """The model's facts, and its problems: missing and damaged parts, another type, weights that are no numbers."""
    name = config.base_model_name
    path = find_model(name, config.huggingface_cache_dir)
    if path is None:
        return None, [_missing_model(config)]
    try:
        model = read_model(path)
        of_parts = look_at_folder(path) if path.is_dir() else map(NotAModel, look_at_single_file(path, model))
        problems = [as_problem(config, error) for error in of_parts]
        files = files_of_weights(path) if path.is_dir() and not problems else [path]
    except NotAModel as error:
        return None, [as_problem(config, error)]
    if not problems:
        problems += look_at_weights(files, partial(report, "the weights of the base model"))
    return model, [*problems, *wrong_type(config, model), *other_prediction(config, model)]


def as_problem(config: TrainConfig, error: NotAModel) -> Problem:
    """An error; files that are missing in the hub's cache are a warning, since the run waits for their fetch."""
    name = config.base_model_name
    if isinstance(error, Incomplete) and not Path(name).expanduser().exists() and not _is_offline(config):
        text = f"{name!r} is on this machine in part only; the run waits until the rest is fetched"
        return Problem("base_model_name", text, "warning")
    return Problem("base_model_name", str(error))


def _is_offline(config: TrainConfig) -> bool:
    return config.offline_mode or os.environ.get("HF_HUB_OFFLINE") in ("1", "true", "True")


def _missing_model(config: TrainConfig) -> Problem:
    name = config.base_model_name
    if not looks_like_hub_name(name):
        return Problem("base_model_name", f"{name!r} does not exist; choose a diffusers folder or a .safetensors file")
    if _is_offline(config):
        cure = "turn off offline_mode, or choose a folder or file"
        return Problem("base_model_name", f"{name!r} is not in the hub's cache on this machine; {cure}")
    text = f"{name!r} is not on this machine; the run waits until it is fetched, which can take a while"
    return Problem("base_model_name", text, "warning")


def wrong_type(config: TrainConfig, model: ModelFiles) -> Iterator[Problem]:
    """The model is of another family or kind than the config's `model_type`."""
    expected = kind_of(config.model_type)
    if model.kind and expected and model.kind != expected:
        yield Problem("model_type", f"the base model is {model.kind}, not {expected}; choose the matching type")
    elif model.inpainting != ("INPAINTING" in config.model_type):
        what = "an inpainting model" if model.inpainting else "not an inpainting model"
        yield Problem("model_type", f"the base model is {what}; choose the matching type")


PREDICTIONS = {  # of the published models of each type
    "STABLE_DIFFUSION_20": "v_prediction",
    "STABLE_DIFFUSION_21": "v_prediction",
    "STABLE_DIFFUSION_20_BASE": "epsilon",
    "STABLE_DIFFUSION_21_BASE": "epsilon",
}


def other_prediction(config: TrainConfig, model: ModelFiles) -> Iterator[Problem]:
    """A model that is trained on another target than its own forgets most of its knowledge."""
    expected = PREDICTIONS.get(config.model_type)
    forced = config.force_v_prediction or config.force_epsilon_prediction
    if expected and model.prediction in ("v_prediction", "epsilon") and model.prediction != expected and not forced:
        text = f"the base model's scheduler says {model.prediction}, and models of this type have {expected}"
        other = config.model_type.removesuffix("_BASE") if expected == "epsilon" else f"{config.model_type}_BASE"
        yield Problem("model_type", f"{text}; choose {other} if that is the model", "warning")
    if config.force_epsilon_prediction and model.prediction == "v_prediction":
        text = "the base model predicts velocity (v_prediction), and this setting makes it predict noise; turn it off"
        yield Problem("force_epsilon_prediction", text, "warning")
    if config.force_v_prediction and model.prediction == "epsilon":
        text = "the base model predicts noise (epsilon), and this setting makes it predict velocity; turn it off"
        yield Problem("force_v_prediction", text, "warning")


def look_at_destination(config: TrainConfig) -> Iterator[Problem]:
    """Check that the final model can be written, by writing a file: only a try shows it."""
    destination = Path(config.output_model_destination).expanduser()
    folder = destination.parent
    if destination.exists() and config.prevent_overwrites:
        yield Problem("output_model_destination", "already exists; choose another name, or turn off prevent_overwrites")
        return
    is_folder = destination.is_dir() and destination.suffix == ".safetensors"
    if is_folder or (destination.is_file() and destination.suffix != ".safetensors"):
        yield Problem("output_model_destination", f"{destination} exists and is not a model file; choose another name")
        return
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        cure = "choose a folder that you own"
        yield Problem("output_model_destination", f"{existing} cannot be written ({error.strerror}); {cure}")
        return
    if destination.exists():
        yield Problem("output_model_destination", f"{destination} already exists and will be replaced", "warning")


def look_at_pictures(
    config: TrainConfig, report: Report, reader: Reader = BUILTIN, size_multiple: int = DEFAULT_SIZE_MULTIPLE
) -> tuple[int, list[Problem]]:
    """The number of batches in an epoch, and the problems of pictures and captions."""
    index = PictureIndex(Path(config.cache_dir))
    report("pictures and captions", 0, 0)
    found = survey(config, index, lambda done, total: report("pictures and captions", done, total), reader=reader)
    index.save()
    if any(problem.is_error for problem in found.problems):
        return 0, found.problems
    plan = EpochPlan(config, found.pictures, size_multiple)
    return len(plan), [*found.problems, *token_problems(config, found.pictures), *plan.problems()]


def compare_data(settings: JsonObject, backup: Path, report: Report) -> list[Problem]:
    """How a run continues from the backup if its data changed since, as a warning; errors are left to the start."""
    config = TrainConfig.from_dict(settings)
    meta = read_meta(backup)
    saved = meta.get("data")
    found = survey(config, PictureIndex(Path(config.cache_dir)), lambda *at: report("pictures and captions", *at))
    if any(problem.is_error for problem in found.problems):
        return []
    plan = EpochPlan(config, found.pictures, (saved or {}).get("size_multiple", DEFAULT_SIZE_MULTIPLE))
    placement = place(TrainProgress(**meta["progress"]), saved, DataLayout.of(plan), config.epochs)
    return [Problem("concepts", placement.notice, "warning")] if placement.notice else []


def _look_at_length(config: TrainConfig, batches: int) -> Iterator[Problem]:
    """Check the settings that need a run of a certain length."""
    if not batches:
        return
    steps = batches * config.epochs
    updates, unused = divmod(steps, config.gradient_accumulation_steps)
    if steps < config.gradient_accumulation_steps:
        yield Problem(
            "gradient_accumulation_steps",
            f"the run has {steps} steps, so the weights would never change; lower it, or raise epochs",
        )
    elif unused:
        yield Problem(
            "gradient_accumulation_steps",
            f"the last {unused} of the run's {steps} steps fill no accumulation of "
            f"{config.gradient_accumulation_steps} and change nothing; choose a number that divides {steps}",
            "warning",
        )
    if config.ema != "OFF" and 0 < updates < config.ema_update_step_interval:
        yield Problem(
            "ema_update_step_interval",
            f"the run changes the weights {updates} times, so their average would never change; lower it",
        )
    if updates and warmup_updates(config, updates) >= updates:
        share = (
            "up to 1 this is a share of the run, so 1 is all of it" if config.learning_rate_warmup_steps <= 1 else ""
        )
        yield Problem(
            "learning_rate_warmup_steps",
            f"the run has {updates} updates, so the learning rate never reaches its full value; lower it"
            + (f" ({share})" if share else ""),
            "warning",
        )


def compare_memory(config: TrainConfig, need: memory.Estimate, gpus: list[JsonObject]) -> Iterator[Problem]:
    if not gpus:
        return
    total = min(gpu["memory_total_gb"] for gpu in gpus) * GIB
    if need.total <= total * TIGHT:
        return
    text = f"the run needs about {need.total / GIB:.1f} GB of GPU memory, and the GPU has {total / GIB:.1f} GB"
    severity = "error" if need.total > total * 1.25 else "warning"
    yield Problem(_what_to_lower(config), f"{text}; {_how_to_save(config)}", severity)


def _what_to_lower(config: TrainConfig) -> str:
    return "batch_size" if config.batch_size > 1 else "resolution"


def _how_to_save(config: TrainConfig) -> str:
    ways = []
    if not config.unet.gradient_checkpointing:
        ways.append("turn on unet.gradient_checkpointing")
    if config.batch_size > 1:
        ways.append("lower batch_size and raise gradient_accumulation_steps")
    if config.train_dtype == "FLOAT_32":
        ways.append("choose BFLOAT_16 as train_dtype")
    return ", or ".join(ways or ["lower the resolution", "train a LoRA"])


def compare_disk(config: TrainConfig, need: memory.Estimate) -> Iterator[Problem]:
    existing = disk.existing_parent(Path(config.workspace_dir))
    free = shutil.disk_usage(existing).free
    if need.total > free:
        cure = "free some space, turn on rolling_backup, or back up less often"
        text = f"the run writes about {need.total / GIB:.1f} GB, and {free / GIB:.1f} GB are free in {existing}; {cure}"
        yield Problem("backup_after", text)
