"""Checks of several settings together, or of the text of a setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.builtin.config.concept_rules import check_concepts
from engine.builtin.config.enums import DataType, LossWeight, ModelFormat, Optimizer, TrainingMethod
from engine.builtin.config.layer_filter import patterns
from engine.builtin.config.model_types import MASK_INPUT, SDXL, most_skipped, trainable_parts
from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.config.train_config import SampleConfig, TrainConfig, whole_parts
from engine.builtin.config.training_rules import TRAINING_RULES
from engine.interface.errors import Problem
from engine.interface.paths import exists

FORMATS: dict[TrainingMethod, tuple[ModelFormat, ...]] = {
    TrainingMethod.LORA: (ModelFormat.KOHYA_LORA, ModelFormat.DIFFUSERS_LORA, ModelFormat.SAFETENSORS),
    TrainingMethod.FINE_TUNE: (ModelFormat.DIFFUSERS, ModelFormat.ORIGINAL_SINGLE_FILE, ModelFormat.SAFETENSORS),
    TrainingMethod.FINE_TUNE_VAE: (ModelFormat.DIFFUSERS, ModelFormat.ORIGINAL_SINGLE_FILE, ModelFormat.SAFETENSORS),
}
NO_NOISE = "it has no noise, and only samples change"
BESIDE_DECODING = {
    "train_dtype": "the decoder computes in the format of its weights",
    "rescale_noise_scheduler_to_zero_terminal_snr": NO_NOISE,
    "force_v_prediction": NO_NOISE,
    "force_epsilon_prediction": NO_NOISE,
}
SAMPLE_SIZE_MULTIPLE = 8
HIGH_LEARNING_RATE = 0.1
SMALLEST_DELTA = 1e-6  # of the Huber loss, whose gradient it limits
PICKLED = (".ckpt", ".pt", ".pth", ".bin")


def check_rules(config: TrainConfig) -> Iterator[Problem]:
    """Every rule's problems, for a config with its concepts and samples loaded."""
    for rule in RULES:
        yield from rule(config)


def _base_model(config: TrainConfig) -> Iterator[Problem]:
    if not config.base_model_name.strip():
        yield Problem("base_model_name", "is empty; choose a folder, a .safetensors file, or a name on the hub")
    elif Path(config.base_model_name).suffix.lower() in PICKLED:
        yield Problem("base_model_name", "such files can hold programs; use a .safetensors file or a diffusers folder")


def _output(config: TrainConfig) -> Iterator[Problem]:
    formats = FORMATS.get(config.training_method, ())
    if formats and config.output_model_format not in formats:
        yield Problem(
            "output_model_format",
            f"{config.output_model_format} does not fit {config.training_method}; choose {' or '.join(formats)}",
        )
        return
    destination = config.output_model_destination
    is_file = destination.endswith(".safetensors")
    if not destination:
        yield Problem("output_model_destination", "is empty; enter the path for the trained model")
    elif config.output_model_format == ModelFormat.DIFFUSERS and is_file:
        yield Problem("output_model_destination", "must be a folder for the format DIFFUSERS; remove .safetensors")
    elif config.output_model_format != ModelFormat.DIFFUSERS and not is_file:
        yield Problem("output_model_destination", "must end in .safetensors")
    elif config.prevent_overwrites and exists(destination):
        yield Problem("output_model_destination", "already exists; choose another name, or turn off prevent_overwrites")


def _trained_parts(config: TrainConfig) -> Iterator[Problem]:
    for name in whole_parts(config):
        if getattr(config, name).weight_dtype != DataType.FLOAT_32:
            yield Problem(
                f"{name}.weight_dtype",
                "trained weights are kept in FLOAT_32; choose FLOAT_32, or turn off the part's training",
            )


def _decoder(config: TrainConfig) -> Iterator[Problem]:
    """The VAE is trained without noise, so no timestep can have a weight."""
    if config.training_method == TrainingMethod.FINE_TUNE_VAE and config.model_type in SDXL:
        text = "the VAE of Stable Diffusion XL is not trained by either trainer; choose LORA or FINE_TUNE"
        yield Problem("training_method", text)
    if config.training_method == TrainingMethod.FINE_TUNE_VAE and config.loss_weight_fn != LossWeight.CONSTANT:
        yield Problem("loss_weight_fn", "has no meaning for FINE_TUNE_VAE, which has no timesteps; choose CONSTANT")
    if config.training_method == TrainingMethod.FINE_TUNE_VAE:
        for field, why in BESIDE_DECODING.items():
            if getattr(config, field) != config.default_of(field):
                text = f"has no effect on the training while training_method is FINE_TUNE_VAE: {why}"
                yield Problem(field, text, "warning")


def _learning_rates(config: TrainConfig) -> Iterator[Problem]:
    """The learning rate of each trained part: its own, or the common rate."""
    rates = {}
    for name in trainable_parts(config.model_type):
        part = getattr(config, name)
        if part.train:
            own = part.learning_rate is not None
            rates[f"{name}.learning_rate" if own else "learning_rate"] = (
                part.learning_rate if own else config.learning_rate
            )
    for field, rate in rates.items():
        if message := _doubt(config.optimizer.optimizer, rate):
            yield Problem(field, message, "warning")


def _doubt(optimizer: Optimizer, rate: float) -> str | None:
    if rate == 0:
        return None  # `engine.void` says so
    if optimizer == Optimizer.PRODIGY:
        return None if rate == 1 else f"is {rate:g}, but PRODIGY multiplies the rate that it finds by this; set it to 1"
    if rate >= HIGH_LEARNING_RATE:
        return f"is {rate:g}, far too high for {optimizer}; try 0.0001 for a LoRA or 0.00001 for FINE_TUNE"
    return None


def _losses(config: TrainConfig) -> Iterator[Problem]:
    if config.huber_strength > 0 and config.huber_delta < SMALLEST_DELTA:
        yield Problem("huber_delta", f"must be at least {SMALLEST_DELTA:g} for the Huber loss")


def _noise(config: TrainConfig) -> Iterator[Problem]:
    if config.force_v_prediction and config.force_epsilon_prediction:
        yield Problem("force_v_prediction", "cannot be combined with force_epsilon_prediction; turn one of them off")
    if config.min_noising_strength >= config.max_noising_strength:
        yield Problem("min_noising_strength", "must be below max_noising_strength")


def _concepts(config: TrainConfig) -> Iterator[Problem]:
    """Check that there is something to train on; `concepts.check_data` checks the content of the folders."""
    concepts = config.concepts or []
    if not concepts:
        yield Problem("concepts", "there are no training pictures; add a concept with a folder of pictures")
    for index, concept in enumerate(concepts):
        if concept.enabled and not concept.path:
            yield Problem(f"concepts.{index}.path", "is empty; choose the folder with the concept's pictures")
        if concept.enabled and concept.text.prompt_source == "concept" and not concept.text.prompt_path:
            yield Problem(f"concepts.{index}.text.prompt_path", "is empty; choose the file with the captions")


def _resolutions(config: TrainConfig) -> Iterator[Problem]:
    yield from _resolution("resolution", config.resolution)
    for index, concept in enumerate(config.concepts or []):
        if concept.enabled and concept.image.enable_resolution_override:
            yield from _resolution(f"concepts.{index}.image.resolution_override", concept.image.resolution_override)


def _resolution(field: str, text: str) -> Iterator[Problem]:
    try:
        parse_resolution(text)
    except ValueError as error:
        yield Problem(field, str(error))


def _layers(config: TrainConfig) -> Iterator[Problem]:
    """Report invalid regular expressions; as in OneTrainer, commas separate the patterns."""
    for pattern in patterns(config) if config.layer_filter_regex else ():
        try:
            re.compile(pattern)
        except re.error as error:
            yield Problem("layer_filter", f"{pattern!r} is not a regular expression: {error}")
    if "," in config.layer_filter and "" in patterns(config):
        message = "has an empty pattern beside a comma, which matches every layer; remove the comma"
        yield Problem("layer_filter", message, "warning")


def _device(config: TrainConfig) -> Iterator[Problem]:
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", config.train_device):
        yield Problem("train_device", f"{config.train_device!r} is not a device; enter cuda, cuda:1 or cpu")


def _cloud(config: TrainConfig) -> Iterator[Problem]:
    if config.cloud.get("enabled"):
        yield Problem("cloud.enabled", "the built-in trainer trains on this machine; turn this off")


def _layer_skips(config: TrainConfig) -> Iterator[Problem]:
    """No more layers can be left out than published text encoders have; the trainer knows those of the model itself."""
    for encoder, most in most_skipped(config.model_type).items():
        yield from _too_many_skipped(config, encoder, most)


def _too_many_skipped(config: TrainConfig, encoder: str, most: int) -> Iterator[Problem]:
    field = f"{encoder}_layer_skip"
    skips = {field: getattr(config, field)}
    of_sample = field.replace("encoder_layer", "encoder_1_layer")
    for index, sample in enumerate(config.samples or []):
        if sample.enabled:
            skips[f"samples.{index}.{of_sample}"] = getattr(sample, of_sample)
    for field, skip in skips.items():
        if skip > most:
            yield Problem(field, f"is {skip}, but the text encoder has only {most + 1} layers; choose at most {most}")


def _samples(config: TrainConfig) -> Iterator[Problem]:
    for index, sample in enumerate(config.samples or []):
        if sample.enabled:
            yield from check_sample(sample, f"samples.{index}.")
            if config.model_type in MASK_INPUT:
                yield from _painted_into(sample, f"samples.{index}.")


def check_sample(sample: SampleConfig, prefix: str = "") -> Iterator[Problem]:
    """A sample's sides must be multiples of the size of one latent, and its prompt should say something."""
    for side in ("width", "height"):
        if getattr(sample, side) % SAMPLE_SIZE_MULTIPLE:
            yield Problem(f"{prefix}{side}", f"must be a multiple of {SAMPLE_SIZE_MULTIPLE}")
    if not sample.prompt.strip():
        yield Problem(f"{prefix}prompt", "is empty; describe the picture to generate", "warning")


def _painted_into(sample: SampleConfig, prefix: str) -> Iterator[Problem]:
    """A sample that fills in a part of a picture needs the picture and the mask."""
    for name in ("base_image_path", "mask_image_path") if sample.sample_inpainting else ():
        if not Path(path := getattr(sample, name)).is_file():
            yield Problem(f"{prefix}{name}", f"{path!r} is no file; choose one, or turn off sample_inpainting")


RULES: tuple[Callable[[TrainConfig], Iterator[Problem]], ...] = (
    _base_model,
    _output,
    _trained_parts,
    _decoder,
    _learning_rates,
    _losses,
    _noise,
    _concepts,
    check_concepts,
    _resolutions,
    _layers,
    _device,
    _cloud,
    _layer_skips,
    _samples,
    *TRAINING_RULES,
)
