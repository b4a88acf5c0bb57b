"""When a setting matters to the built-in trainer: conditions on other settings. No torch.

A changed setting whose conditions do not hold is a warning with the condition that fails. Conditions that every engine
shares are `applies` in `engine/fields.toml`; `MATTERS` has those that are true for this trainer alone, or that cannot
be written as a list of values.
"""

from __future__ import annotations

from engine.builtin.config.concept_effects import CONCEPTS
from engine.builtin.config.conditions import Condition, above, any_of, only_if, unless
from engine.builtin.config.enums import DataType, TimeUnit, TrainingMethod
from engine.builtin.config.model_types import trainable_parts
from engine.interface.json_types import JsonObject

HALF = (DataType.FLOAT_16, DataType.BFLOAT_16)
COUNTED = (TimeUnit.EPOCH, TimeUnit.STEP, TimeUnit.SECOND, TimeUnit.MINUTE, TimeUnit.HOUR)
READ_FROM_FILES = ("concepts", "samples")  # the site copies them into the config, beside the file's name
SCHEDULER = "learning_rate_scheduler"
PARTS = ("unet", "text_encoder", "text_encoder_2")  # that can be trained
# Settings of captions, noise and timesteps, which the training of a VAE's decoder does not have.
BEFORE_DECODING = (
    "unet.train",
    "unet.learning_rate",
    "unet.stop_training",
    "unet.gradient_checkpointing",
    "text_encoder.train",
    "text_encoder.learning_rate",
    "text_encoder.stop_training",
    "text_encoder.gradient_checkpointing",
    "text_encoder.dropout_probability",
    "layer_filter",
    "offset_noise_weight",
    "generalized_offset_noise",
    "perturbation_noise_weight",
    "min_noising_strength",
    "max_noising_strength",
    "noising_",
    "timestep_",
    "dynamic_timestep_shifting",
    "unmasked_probability",
    "concepts.*.text.",
    "concepts.*.text_variations",
)


def a_part_has_no_own_rate(config: JsonObject, item: str) -> str:
    decodes = config["training_method"] == TrainingMethod.FINE_TUNE_VAE
    trained = ["vae"] if decodes else [name for name in trainable_parts(config["model_type"]) if config[name]["train"]]
    if any(config[name]["learning_rate"] is None for name in trained):
        return ""
    return f"while {' and '.join(f'{name}.learning_rate' for name in trained)} {'are' if trained[1:] else 'is'} set"


# By setting, with * for positions in lists: all its conditions must hold.
MATTERS: dict[str, tuple[Condition, ...]] = {
    "learning_rate": (a_part_has_no_own_rate,),
    "learning_rate_scheduler": (
        any_of(unless("optimizer.relative_step", True), only_if("learning_rate_scheduler", "ADAFACTOR")),
    ),
    "learning_rate_warmup_steps": (unless("optimizer.relative_step", True),),
    "huber_delta": (above("huber_strength", 0),),
    "noising_weight": (unless("timestep_distribution", "COS_MAP"),),
    "noising_bias": (unless("timestep_distribution", "COS_MAP", "HEAVY_TAIL"),),
    "generalized_offset_noise": (above("offset_noise_weight", 0),),
    **dict.fromkeys(
        ("force_v_prediction", "force_epsilon_prediction"),
        (only_if("rescale_noise_scheduler_to_zero_terminal_snr", False),),
    ),
    **{f"{part}.stop_training_after": (only_if(f"{part}.stop_training_after_unit", *COUNTED),) for part in PARTS},
    "layer_filter": (only_if("unet.train", True),),
    "layer_filter_preset": (only_if("unet.train", True), only_if("layer_filter", "")),
    "layer_filter_regex": (only_if("unet.train", True), unless("layer_filter", "")),
    **dict.fromkeys(
        tuple(f"{part}.weight_dtype" for part in (*PARTS, "vae")),
        (only_if("train_dtype", *HALF), unless("train_device", "cpu")),
    ),
    **dict.fromkeys(("sample_after", "sample_skip_first"), (only_if("sample_after_unit", *COUNTED),)),
    **dict.fromkeys(("save_every", "save_skip_first"), (only_if("save_every_unit", *COUNTED),)),
    "backup_after": (only_if("backup_after_unit", *COUNTED),),
    **{
        f"{part}.gradient_checkpointing": (only_if(f"{part}.train", True), unless("train_device", "cpu"))
        for part in ("text_encoder", "text_encoder_2")
    },
    "unet.gradient_checkpointing": (unless("train_device", "cpu"),),
    **{f"{part}.learning_rate": (only_if(f"{part}.train", True),) for part in PARTS},
    "optimizer.eps2": (any_of(only_if("optimizer.scale_parameter", True), unless("optimizer.optimizer", "ADAFACTOR")),),
    "optimizer.safeguard_warmup": (
        any_of(
            *(unless(f"{owner}learning_rate", None, 1) for owner in ("", *(f"{part}." for part in PARTS))),
            above("learning_rate_warmup_steps", 0),
            unless(SCHEDULER, "CONSTANT"),
        ),
    ),
    **dict.fromkeys(
        ("learning_rate_scaler", "loss_scaler"),
        (any_of(above("batch_size", 1), above("gradient_accumulation_steps", 1)),),
    ),
    **CONCEPTS,
    "vae.gradient_checkpointing": (unless("train_device", "cpu"),),
    "samples.*.seed": (only_if("./random_seed", False),),
    "samples.*.negative_prompt": (above("./cfg_scale", 1),),
}


def why_without_effect(pattern: str, described: JsonObject, config: JsonObject, item: str) -> str:
    """Why a setting does not matter, such as `while ema is OFF`; empty if it does.

    `pattern` is its path with * for positions in lists, `described` its schema, `item` the path of the list's item.
    """
    if config["training_method"] == TrainingMethod.FINE_TUNE_VAE and pattern.startswith(BEFORE_DECODING):
        return f"while training_method is {TrainingMethod.FINE_TUNE_VAE}"
    applies = described.get("x-applies", {})
    shared = [only_if(path, *values) for path, values in applies.items() if path not in READ_FROM_FILES]
    reasons = (condition(config, item) for condition in (*shared, *MATTERS.get(pattern, ())))
    return next((reason for reason in reasons if reason), "")
