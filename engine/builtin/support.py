"""What the built-in engine does and what it refuses, by field. No setting is ignored in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from engine.builtin.config import ConceptConfig, TrainConfig
from engine.builtin.enums import (
    ConceptType,
    DataType,
    EMAMode,
    LearningRateScaler,
    LearningRateScheduler,
    LossScaler,
    LossWeight,
    ModelFormat,
    ModelType,
    Optimizer,
    PeftType,
    TimestepDistribution,
    TrainingMethod,
)
from engine.builtin.settings import Settings
from engine.interface.errors import BadConfig, Problem

FLOAT_TYPES = (DataType.FLOAT_32, DataType.BFLOAT_16, DataType.FLOAT_16)
LORA_FORMATS = (ModelFormat.SAFETENSORS, ModelFormat.DIFFUSERS_LORA, ModelFormat.KOHYA_LORA)
FINE_TUNE_FORMATS = (ModelFormat.SAFETENSORS, ModelFormat.ORIGINAL_SINGLE_FILE, ModelFormat.DIFFUSERS)

CHOICES: dict[str, tuple[StrEnum, ...]] = {
    "model_type": (
        ModelType.STABLE_DIFFUSION_15,
        ModelType.STABLE_DIFFUSION_20,
        ModelType.STABLE_DIFFUSION_20_BASE,
        ModelType.STABLE_DIFFUSION_21,
        ModelType.STABLE_DIFFUSION_21_BASE,
    ),
    "training_method": (TrainingMethod.LORA, TrainingMethod.FINE_TUNE),
    "optimizer.optimizer": (Optimizer.ADAMW, Optimizer.PRODIGY, Optimizer.ADAFACTOR),
    "learning_rate_scheduler": (
        LearningRateScheduler.CONSTANT,
        LearningRateScheduler.LINEAR,
        LearningRateScheduler.COSINE,
        LearningRateScheduler.COSINE_WITH_RESTARTS,
    ),
    "learning_rate_scaler": (LearningRateScaler.NONE,),
    "loss_scaler": (LossScaler.NONE,),
    "loss_weight_fn": (LossWeight.CONSTANT, LossWeight.MIN_SNR_GAMMA),
    "timestep_distribution": (TimestepDistribution.UNIFORM,),
    "train_dtype": FLOAT_TYPES,
    "output_dtype": FLOAT_TYPES,
    "lora_weight_dtype": (DataType.FLOAT_32,),
    "peft_type": (PeftType.LORA,),
    "unet.weight_dtype": FLOAT_TYPES,
    "text_encoder.weight_dtype": FLOAT_TYPES,
    "vae.weight_dtype": FLOAT_TYPES,
}

# Fields of features that this engine does not have: they must stay as OneTrainer has them by default.
NOT_YET = (
    "only_cache",
    "continue_last_backup",
    "debug_mode",
    "validation",
    "multi_gpu",
    "compile",
    "masked_training",
    "custom_conditioning_image",
    "masked_prior_preservation_weight",
    "normalize_masked_area_loss",
    "force_circular_padding",
    "log_cosh_strength",
    "generalized_offset_noise",
    "perturbation_noise_weight",
    "rescale_noise_scheduler_to_zero_terminal_snr",
    "noising_weight",
    "noising_bias",
    "timestep_shift",
    "dynamic_timestep_shifting",
    "lora_decompose",
    "lora_model_name",
    "additional_embeddings",
    "custom_learning_rate_scheduler",
    "text_encoder_layer_skip",
    "include_train_config",
    "unet.model_name",
    "text_encoder.model_name",
    "vae.model_name",
    "unet.offload_fraction",
    "text_encoder.offload_fraction",
    "unet.activation_offloading",
    "text_encoder.activation_offloading",
    "unet.stop_training_after",
    "text_encoder.stop_training_after",
    "text_encoder.dropout_probability",
)
CONCEPT_DONE = {"enable_crop_jitter", "enable_random_flip"}
CONCEPT_HARMLESS = re.compile("_max_strength$|_max_angle$|^resolution_override$")
TEXT_NOT_YET = ("enable_tag_shuffling", "tag_dropout_enable", "caps_randomize_enable")
TEXT_SOURCES = ("sample", "filename", "concept")
RESOLUTION = re.compile(r"^\s*\d+(x\d+)?(\s*,\s*\d+(x\d+)?)*\s*$")


def check(config: dict[str, Any]) -> list[Problem]:
    """Everything in a config that is wrong or that this engine does not do, in the order of its fields."""
    try:
        settings = TrainConfig.from_dict(config)
    except BadConfig as error:
        return error.problems
    return [
        *_ranges(settings, ""),
        *_choices(settings),
        *_not_yet(settings),
        *_formats(settings),
        *_data(settings),
        *_training(settings),
        *_unknown(settings),
    ]


def _ranges(settings: Settings, prefix: str) -> Iterator[Problem]:
    for name in settings.hints():
        value = getattr(settings, name)
        metadata = settings.__dataclass_fields__[name].metadata
        low, high = metadata.get("minimum"), metadata.get("maximum")
        if isinstance(value, Settings):
            yield from _ranges(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Settings):
                    yield from _ranges(item, f"{prefix}{name}.{index}.")
        elif isinstance(value, (int, float)) and low is not None and value < low:
            yield Problem(prefix + name, f"must be at least {low}, not {value}.")
        elif isinstance(value, (int, float)) and high is not None and value > high:
            yield Problem(prefix + name, f"must be at most {high}, not {value}.")


def _choices(settings: TrainConfig) -> Iterator[Problem]:
    for path, choices in CHOICES.items():
        value = _at(settings, path)
        if value not in choices:
            yield Problem(
                path, f"the built-in trainer has no {value}: choose {' or '.join(choices)}, or another engine."
            )


def _not_yet(settings: TrainConfig) -> Iterator[Problem]:
    defaults = TrainConfig.default_values()
    for path in NOT_YET:
        if _at(settings, path) != _at(defaults, path):
            yield Problem(path, f"the built-in trainer does not do this: leave it at {_at(defaults, path)!r}.")
    if settings.cloud.get("enabled"):
        yield Problem("cloud.enabled", "the built-in trainer trains on this machine: leave it at False.")


def _formats(settings: TrainConfig) -> Iterator[Problem]:
    formats = LORA_FORMATS if settings.training_method is TrainingMethod.LORA else FINE_TUNE_FORMATS
    if settings.output_model_format not in formats:
        sentence = f"{settings.training_method} cannot be saved as {settings.output_model_format}"
        yield Problem("output_model_format", f"{sentence}: choose {' or '.join(formats)}.")
    if not settings.output_model_destination:
        yield Problem("output_model_destination", "say where the trained model goes, such as models/lora.safetensors.")


def _data(settings: TrainConfig) -> Iterator[Problem]:
    if not RESOLUTION.match(settings.resolution) or "0" in re.split(r"[x,\s]+", settings.resolution):
        yield Problem("resolution", "must be a size in pixels, such as 512, or 512,768, or 1024x768.")
    enabled = [concept for concept in settings.concepts or [] if concept.enabled]
    if not enabled:
        yield Problem("concepts", "there is nothing to train on: add a concept with a folder of pictures.")
    for index, concept in enumerate(settings.concepts or []):
        if concept.enabled:
            yield from _concept(concept, f"concepts.{index}.")


def _concept(concept: ConceptConfig, prefix: str) -> Iterator[Problem]:
    if not concept.path:
        yield Problem(f"{prefix}path", "name the folder of this concept's pictures.")
    if concept.type is not ConceptType.STANDARD:
        yield Problem(f"{prefix}type", f"the built-in trainer has no {concept.type} concepts: choose STANDARD.")
    for name in ("image_variations", "text_variations"):
        if getattr(concept, name) != 1:
            yield Problem(prefix + name, "the built-in trainer makes one variation: leave it at 1.")
    for name in concept.image.hints():
        changed = getattr(concept.image, name) != concept.image.default_of(name)
        if changed and name not in CONCEPT_DONE and not CONCEPT_HARMLESS.search(name):
            yield Problem(f"{prefix}image.{name}", "the built-in trainer only flips and crops: turn this off.")
    for name in TEXT_NOT_YET:
        if getattr(concept.text, name):
            yield Problem(f"{prefix}text.{name}", "the built-in trainer takes captions as they are: turn this off.")
    if concept.text.prompt_source not in TEXT_SOURCES:
        yield Problem(f"{prefix}text.prompt_source", f"must be {' or '.join(TEXT_SOURCES)}.")


def _training(settings: TrainConfig) -> Iterator[Problem]:
    if not (settings.unet.train or settings.text_encoder.train):
        yield Problem("unet.train", "nothing is trained: turn on unet.train or text_encoder.train.")
    if not (settings.mse_strength or settings.mae_strength or settings.huber_strength):
        yield Problem("mse_strength", "there is no loss: set mse_strength, mae_strength or huber_strength above 0.")
    if settings.min_noising_strength >= settings.max_noising_strength:
        yield Problem("min_noising_strength", "must be below max_noising_strength.")
    if settings.force_v_prediction and settings.force_epsilon_prediction:
        yield Problem("force_v_prediction", "choose one of force_v_prediction and force_epsilon_prediction.")
    if settings.ema is not EMAMode.OFF and settings.non_ema_sampling:
        yield Problem("non_ema_sampling", "samples are drawn with the averaged weights alone.", "warning")


def _unknown(settings: TrainConfig) -> Iterator[Problem]:
    for path in settings.walk_unknown():
        yield Problem(path, "the built-in trainer knows no such setting; it is kept and has no effect.", "warning")


def _at(settings: Any, path: str) -> Any:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings
