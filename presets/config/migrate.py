"""Config files of older OneTrainer versions, migrated to the present names and nesting.

A file has its version in `__version`; a file without it is a partial preset of the present version, unless it has names
that only the oldest files had. Facts: the versions of OneTrainer's TrainConfig (0 to 11) and ConceptConfig (0 to 2).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from engine.builtin.config.settings import VERSION_KEY
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.onetrainer.migration import migrated_by_onetrainer

Config = dict[str, Any]
PARTS = (
    *("unet", "prior", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4", "vae"),
    *("effnet_encoder", "decoder", "decoder_text_encoder", "decoder_vqgan"),
)
OLDEST_NAMES = {"train_unet", "train_text_encoder", "train_prior", "unet_learning_rate", "text_encoder_learning_rate"}
RENAMED = {"save_after": "save_every", "save_after_unit": "save_every_unit"}
LAYER_NAMES = {
    "lora_layers": "layer_filter",
    "lora_layer_preset": "layer_filter_preset",
    "lora_layers_regex": "layer_filter_regex",
}
# Names that a later version gave up, by the last version that had them: a file without a version is not newer.
LAST_VERSION_WITH = {
    1: {"embedding_model_names", "token_count", "initial_embedding_text"},
    2: {"min_snr_gamma"},
    5: RENAMED.keys(),
    7: LAYER_NAMES.keys(),
    10: {"enable_activation_offloading", "layer_offload_fraction", "enable_async_offloading"},
}
WUERSTCHEN = ("WUERSTCHEN_2", "STABLE_CASCADE_1")


def migrate(config: Config) -> Config:
    """The config in the present version's form, migrated by OneTrainer itself if it is installed, else by our steps.

    A config that has this form already is returned unchanged.
    """
    version = version_of(config)
    if version is None:
        return config
    config = copy.deepcopy(config)
    if version < TrainConfig.json_version and (theirs := migrated_by_onetrainer({VERSION_KEY: version, **config})):
        config, version = theirs, theirs[VERSION_KEY]  # an older checkout ends at an older version
    for step in STEPS[max(0, version) :]:
        config = step(config)
    if isinstance(config.get("concepts"), list):
        config["concepts"] = migrate_concepts(config["concepts"])
    return {**config, VERSION_KEY: max(version, TrainConfig.json_version)}


def version_of(config: Config) -> int | None:
    """The version in the file, or the version of its names; None for a partial preset of the present version."""
    version = config.get(VERSION_KEY)
    if isinstance(version, int) and not isinstance(version, bool):
        return version
    if isinstance(config.get("optimizer"), str) or OLDEST_NAMES & config.keys():
        return 0
    if any(_place_in_part(key) for key in config):
        return 1
    return next((last for last, names in LAST_VERSION_WITH.items() if names & config.keys()), None)


def _optimizer_as_object(config: Config) -> Config:
    own = {key: value for key, value in config.items() if key.startswith("optimizer")}
    rest = {key: value for key, value in config.items() if key not in own}
    if not isinstance(own.get("optimizer"), str):
        return config
    optimizer = {key.removeprefix("optimizer_"): value for key, value in own.items()}
    return {**rest, "optimizer": optimizer, "optimizer_defaults": {optimizer["optimizer"]: dict(optimizer)}}


def _parts_as_objects(config: Config) -> Config:
    """`train_unet`, `unet_learning_rate` and the like move into `unet`; the first embedding's settings too."""
    moved: Config = {}
    for key, value in config.items():
        place = _place_in_part(key)
        if place is None:
            moved[key] = value
            continue
        part, name = place
        moved.setdefault(part, {})[name] = value
        if name == "stop_training_after":
            moved[part]["stop_training_after_unit"] = "EPOCH"
    return _embedding_as_object(moved)


def _place_in_part(key: str) -> tuple[str, str] | None:
    for part in PARTS:
        if key == f"train_{part}":
            return part, "train"
        if key == f"train_{part}_epochs":
            return part, "stop_training_after"
        for name in ("learning_rate", "weight_dtype", "model_name"):
            if key == f"{part}_{name}":
                return part, name
    return None


def _embedding_as_object(config: Config) -> Config:
    names = config.pop("embedding_model_names", [])
    embedding: Config = {key: config.pop(key) for key in ("token_count", "initial_embedding_text") if key in config}
    if isinstance(names, list) and names:
        embedding["model_name"] = names[0]
    return {**config, "embedding": {**embedding, **config.get("embedding", {})}} if embedding else config


def _loss_weight(config: Config) -> Config:
    gamma = config.pop("min_snr_gamma", 0)
    if gamma:
        return {**config, "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": gamma}
    if config.get("model_type") in WUERSTCHEN:
        return {**config, "loss_weight_fn": "P2", "loss_weight_strength": 1.0}
    return config


def _timestep_distribution(config: Config) -> Config:
    weight, bias = config.pop("noising_weight", 0), config.pop("noising_bias", 0.5)
    if not weight:
        return {**config, "timestep_distribution": "UNIFORM", "noising_weight": 0.0, "noising_bias": 0.0}
    return {**config, "timestep_distribution": "SIGMOID", "noising_weight": weight, "noising_bias": bias - 0.5}


def _checkpointing_as_choice(config: Config) -> Config:
    return {**config, "gradient_checkpointing": "ON" if config.get("gradient_checkpointing", True) else "OFF"}


def _save_every(config: Config) -> Config:
    return {RENAMED.get(key, key): value for key, value in config.items()}


def _no_empty_layer_preset(config: Config) -> Config:
    empty = "lora_layer_preset" in config and config["lora_layer_preset"] is None
    return {**config, "lora_layer_preset": "full"} if empty else config


def _layer_filter(config: Config) -> Config:
    return {LAYER_NAMES.get(key, key): value for key, value in config.items()}


def _transformer_of_its_own(config: Config) -> Config:
    """The prior of a newer model became its transformer."""
    if "prior" in config and config.get("model_type") not in WUERSTCHEN:
        return {**config, "transformer": copy.deepcopy(config["prior"])}
    return config


def _weight_dtype_by_part(config: Config) -> Config:
    common = config.pop("weight_dtype", None)
    for part in PARTS:
        if common and isinstance(config.get(part), dict) and config[part].get("weight_dtype") == "NONE":
            config[part]["weight_dtype"] = common
    return config


def _offloading_by_part(config: Config) -> Config:
    checkpointing = config.pop("gradient_checkpointing", "ON")
    activations = config.pop("enable_activation_offloading", True)
    fraction = config.pop("layer_offload_fraction", 0.0)
    config["async_offloading"] = config.pop("enable_async_offloading", True)
    offloads = checkpointing == "CPU_OFFLOADED"
    for part in PARTS:
        if isinstance(config.get(part), dict):
            config[part]["gradient_checkpointing"] = checkpointing != "OFF"
            config[part]["activation_offloading"] = offloads and activations
            config[part]["offload_fraction"] = fraction if offloads else 0.0
    return _format_by_method(config)


def _format_by_method(config: Config) -> Config:
    """The format SAFETENSORS of all methods became the older layout of each method."""
    if config.get("output_model_format") == "SAFETENSORS" and config.get("training_method") != "EMBEDDING":
        lora = config.get("training_method") == "LORA"
        config["output_model_format"] = "LEGACY_LORA" if lora else "LEGACY_SAFETENSORS"
    return config


STEPS: tuple[Callable[[Config], Config], ...] = (
    _optimizer_as_object,
    _parts_as_objects,
    _loss_weight,
    _timestep_distribution,
    _checkpointing_as_choice,
    _save_every,
    _no_empty_layer_preset,
    _layer_filter,
    _transformer_of_its_own,
    _weight_dtype_by_part,
    _offloading_by_part,
)


def migrate_concepts(concepts: list[Any]) -> list[Any]:
    """Concepts in the present form, each by its own version; a file of concepts holds such a list too."""
    return [_migrate_concept(concept) for concept in concepts]


def _migrate_concept(concept: Any) -> Any:
    if not isinstance(concept, dict):
        return concept
    concept = dict(concept)
    if "repeats" in concept:
        concept["balancing"] = concept.pop("repeats")
    if "validation_concept" in concept:
        concept["type"] = "VALIDATION" if concept.pop("validation_concept") else "STANDARD"
    return {**concept, VERSION_KEY: ConceptConfig.json_version} if VERSION_KEY in concept else concept
