"""The settings that the built-in trainer supports, and the check of a config before it is used.

A setting that is in none of the tables is supported. Nothing is ignored silently: an unsupported setting is an error,
and a setting that makes no difference is a warning if it was changed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.builtin.config.enums import (
    ConceptType,
    DataType,
    LearningRateScheduler,
    LossWeight,
    ModelType,
    Optimizer,
    PeftType,
    TimestepDistribution,
    TrainingMethod,
)
from engine.builtin.config.lists import load_concepts, load_samples
from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.settings import Settings, to_json
from engine.builtin.config.support_rules import check_rules
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject

FLOATS = (DataType.FLOAT_32, DataType.FLOAT_16, DataType.BFLOAT_16)

# The values that the trainer supports, if OneTrainer has more.
CHOICES: dict[str, tuple[str, ...]] = {
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
    "loss_weight_fn": (LossWeight.CONSTANT, LossWeight.MIN_SNR_GAMMA),
    "timestep_distribution": (TimestepDistribution.UNIFORM,),
    "peft_type": (PeftType.LORA,),
    "layer_filter_preset": ("full", "attn-mlp", "attn-only", "custom"),
    "train_dtype": FLOATS,
    "output_dtype": FLOATS,
    "unet.weight_dtype": FLOATS,
    "text_encoder.weight_dtype": FLOATS,
    "vae.weight_dtype": FLOATS,
    "lora_weight_dtype": (DataType.FLOAT_32,),
    "concepts.*.type": (ConceptType.STANDARD,),
    "concepts.*.text.prompt_source": ("sample", "concept", "filename"),
    "concepts.*.text.tag_dropout_mode": ("FULL", "RANDOM", "RANDOM WEIGHTED"),
    "concepts.*.text.tag_dropout_special_tags_mode": ("NONE", "WHITELIST", "BLACKLIST"),
}

# Settings that the trainer does not support: only the default, which turns them off, is accepted.
NOT_DONE: dict[str, str] = {
    "only_cache": "end after caching",
    "continue_last_backup": "search for backups; resume the run instead",
    "include_train_config": "write the config into the model",
    "validation": "measure the validation loss",
    "debug_mode": "write debug pictures",
    "multi_gpu": "train one run on several GPUs",
    "compile": "compile the model",
    "force_circular_padding": "train seamless pictures",
    "masked_training": "train with masks",
    "custom_conditioning_image": "use conditioning pictures",
    "additional_embeddings": "train embeddings",
    "learning_rate_scaler": "scale the learning rate by the batch",
    "loss_scaler": "scale the loss by the batch",
    "log_cosh_strength": "support the log-cosh loss",
    "generalized_offset_noise": "support generalized offset noise",
    "perturbation_noise_weight": "support perturbation noise",
    "rescale_noise_scheduler_to_zero_terminal_snr": "change the noise schedule",
    "timestep_shift": "shift timesteps",
    "dynamic_timestep_shifting": "shift timesteps",
    "lora_decompose": "have DoRA",
    "optimizer.fused_back_pass": "update weights within the backward pass",
    "optimizer.fsdp_in_use": "spread weights over several GPUs",
    "optimizer.maximize": "maximize the loss",
    "optimizer.capturable": "capture CUDA graphs",
    "optimizer.differentiable": "let gradients flow through the optimizer",
    "optimizer.compile": "compile the optimizer",
    "optimizer.relative_step": "let Adafactor choose the learning rate",
    "optimizer.warmup_init": "let Adafactor choose the learning rate",
    **{f"{part}.model_name": "load this part from another model" for part in ("unet", "text_encoder", "vae")},
    **{f"{part}.include": "exclude parts" for part in ("unet", "text_encoder", "vae")},
    **{f"{part}.stop_training_after_unit": "stop training one part early" for part in ("unet", "text_encoder")},
    **{f"{part}.offload_fraction": "offload weights" for part in ("unet", "text_encoder", "vae")},
    **{f"{part}.activation_offloading": "offload activations" for part in ("unet", "text_encoder", "vae")},
    "concepts.*.image.enable_random_circular_mask_shrink": "train with masks",
    "concepts.*.image.enable_random_mask_rotate_crop": "train with masks",
    "samples.*.force_last_timestep": "force the last timestep",
    "samples.*.sample_inpainting": "train inpainting",
}

# Settings that make no difference to the trainer, with the reason. A name stands for all settings within it too.
NO_SUCH_PART = "Stable Diffusion 1.x and 2.x have no such part"
NOT_TRAINED = "the part that it belongs to is not trained"
CHARTS = "the site itself shows the charts and samples"
ONE_GPU = "the run trains on one GPU"
NO_EFFECT: dict[str, str] = {
    **dict.fromkeys(("tensorboard", "tensorboard_expose", "tensorboard_always_on", "tensorboard_port"), CHARTS),
    "samples_to_tensorboard": CHARTS,
    "debug_dir": "debug pictures are off",
    "validate_after": "validation is off",
    "validate_after_unit": "validation is off",
    "temp_device": "all parts stay on the training device",
    "async_offloading": "nothing is offloaded",
    "fallback_train_dtype": "all parts compute in train_dtype",
    "enable_autocast_cache": "torch manages its memory",
    "attention_mechanism": "torch chooses the fastest attention that the GPU has",
    "device_indexes": ONE_GPU,
    "gradient_reduce_precision": ONE_GPU,
    "fused_gradient_reduce": ONE_GPU,
    "async_gradient_reduce": ONE_GPU,
    "async_gradient_reduce_buffer": ONE_GPU,
    "cloud": "the run trains on this machine",
    "secrets": "tokens come from the environment, such as HF_TOKEN",
    "quantization": "nothing is quantized",
    "clear_cache_before_training": "cache entries are found by content, so an old entry is never used by mistake",
    "frames": "the trainer trains on pictures",
    **dict.fromkeys(
        (
            "prior",
            "transformer",
            "unconditional_transformer",
            "text_encoder_sequence_length",
            *(name for name in TrainConfig.hints() if re.match("text_encoder_[234]", name)),
            "effnet_encoder",
            "decoder",
            "decoder_text_encoder",
            "decoder_vqgan",
            "vb_loss_strength",
        ),
        NO_SUCH_PART,
    ),
    **{
        f"vae.{name}": NOT_TRAINED
        for name in (
            "train",
            "stop_training_after",
            "stop_training_after_unit",
            "learning_rate",
            "dropout_probability",
            "gradient_checkpointing",
        )
    },
    **{
        f"{part}.{name}": NO_SUCH_PART
        for part in ("unet", "text_encoder", "vae")
        for name in ("train_embedding", "attention_mask", "guidance_scale")
    },
    "unet.dropout_probability": "captions are dropped by text_encoder.dropout_probability",
    **{f"{part}.stop_training_after": "each part is trained to the end" for part in ("unet", "text_encoder")},
    "embedding": NOT_TRAINED,
    "embedding_learning_rate": NOT_TRAINED,
    "embedding_weight_dtype": NOT_TRAINED,
    "preserve_embedding_norm": NOT_TRAINED,
    "bundle_additional_embeddings": NOT_TRAINED,
    "unmasked_probability": "masked training is off",
    "unmasked_weight": "masked training is off",
    "normalize_masked_area_loss": "masked training is off",
    "masked_prior_preservation_weight": "masked training is off",
    "noising_weight": "timesteps are sampled uniformly",
    "noising_bias": "timesteps are sampled uniformly",
    **{name: "plain LoRA is trained" for name in TrainConfig.hints() if name.startswith(("oft_", "lokr_"))},
    "lora_decompose_norm_epsilon": "plain LoRA is trained",
    "lora_decompose_output_axis": "plain LoRA is trained",
    "custom_learning_rate_scheduler": "the scheduler is built in",
    "scheduler_params": "the scheduler is built in",
    "optimizer.foreach": "torch chooses the fastest method",
    "optimizer.stochastic_rounding": "trained weights are kept in 32 bits",
    "sample_video_format": "samples are pictures",
    "sample_audio_format": "samples are pictures",
    **{
        f"samples.*.{name}": NO_SUCH_PART
        for name in (
            "frames",
            "length",
            "text_encoder_1_sequence_length",
            "text_encoder_2_layer_skip",
            "text_encoder_2_sequence_length",
            "text_encoder_3_layer_skip",
            "text_encoder_4_layer_skip",
            "transformer_attention_mask",
        )
    },
    "samples.*.base_image_path": "inpainting is off",
    "samples.*.mask_image_path": "inpainting is off",
}


@dataclass(frozen=True)
class Leaf:
    """One value of a config, with its dotted path, its default and its range."""

    path: str
    value: Any
    default: Any
    limits: Mapping[str, Any]

    @property
    def pattern(self) -> str:
        """The path with * for positions in lists."""
        return re.sub(r"\.\d+(?=\.)", ".*", self.path)

    @property
    def changed(self) -> bool:
        return self.value != self.default

    def find_in(self, table: dict[str, str]) -> str | None:
        """The table's entry for this setting, or for a group that contains it."""
        parts = self.pattern.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((table[name] for name in names if name in table), None)


def check(config: JsonObject) -> list[Problem]:
    """The problems of a config, by field; a warning does not prevent a run from starting.

    Pictures and models are not checked here: `concepts.check_data` and the trainer do that.
    """
    try:
        parsed = TrainConfig.from_dict(config)
        parsed.concepts, parsed.samples = load_concepts(parsed), load_samples(parsed)
    except BadConfig as error:
        return error.problems
    found = [problem for leaf in leaves(parsed) for problem in _check_leaf(leaf)]
    return [*found, *_check_optimizer(parsed), *check_rules(parsed), *_check_unknown(parsed)]


def check_values(config: TrainConfig) -> Iterator[Problem]:
    """The problems that matter to every engine: numbers out of their range, and unknown names."""
    for leaf in leaves(config):
        yield from _check_range(leaf)
    yield from _check_scheduler(config)
    yield from _check_unknown(config)


def _check_scheduler(config: TrainConfig) -> Iterator[Problem]:
    for index, pair in enumerate(config.scheduler_params or []):
        if not {"key", "value"} <= pair.keys():
            yield Problem(f"scheduler_params.{index}", 'must look like {"key": "step_size", "value": "100"}')


def leaves(settings: Settings, prefix: str = "") -> Iterator[Leaf]:
    """Every value in a config, also in its lists."""
    for name in settings.hints():
        value, path = getattr(settings, name), prefix + name
        if isinstance(value, Settings):
            yield from leaves(value, f"{path}.")
        elif isinstance(value, list) and value and isinstance(value[0], Settings):
            for index, item in enumerate(value):
                if not getattr(item, "enabled", True):
                    continue  # a disabled concept or sample may hold any values
                yield from leaves(item, f"{path}.{index}.")
        else:
            yield Leaf(path, value, settings.own_default(name), settings.metadata_of(name))


def _check_unknown(config: TrainConfig) -> Iterator[Problem]:
    """Report unknown keys; OneTrainer too ignores the `weight_dtype` at the top of many of its presets."""
    for path in config.walk_unknown():
        if path != "weight_dtype":
            yield Problem(path, "is not a known setting; it is kept but has no effect", "warning")


def _check_leaf(leaf: Leaf) -> Iterator[Problem]:
    yield from _check_range(leaf)
    choices = CHOICES.get(leaf.pattern)
    if choices and leaf.value not in choices:
        cure = "choose it" if len(choices) == 1 else "choose one of them"
        yield Problem(leaf.path, f"the built-in trainer supports {_listed(choices)}; {_otherwise(cure)}")
    if not leaf.changed:
        return
    if what := NOT_DONE.get(leaf.pattern):
        yield Problem(leaf.path, f"the built-in trainer does not {what}; {_otherwise(_cure(leaf.default))}")
    elif why := leaf.find_in(NO_EFFECT):
        yield Problem(leaf.path, f"has no effect in the built-in trainer: {why}", "warning")


def _check_range(leaf: Leaf) -> Iterator[Problem]:
    if not isinstance(leaf.value, int | float) or isinstance(leaf.value, bool):
        return
    limits = leaf.limits
    if math.isinf(leaf.value) and not limits["infinite"]:
        yield Problem(leaf.path, "must be finite")
    elif limits["minimum"] is not None and leaf.value < limits["minimum"]:
        yield Problem(leaf.path, f"must be at least {limits['minimum']}, not {leaf.value}")
    elif limits["maximum"] is not None and leaf.value > limits["maximum"]:
        yield Problem(leaf.path, f"must be at most {limits['maximum']}, not {leaf.value}")


def _check_optimizer(config: TrainConfig) -> Iterator[Problem]:
    """Report the optimizer's settings that belong to other optimizers."""
    own = OPTIMIZER_DEFAULTS.get(config.optimizer.optimizer)
    if own is None:
        return
    for leaf in leaves(config.optimizer, "optimizer."):
        name = leaf.path.removeprefix("optimizer.")
        if leaf.changed and name not in own and name != "optimizer" and leaf.path not in NOT_DONE:
            yield Problem(leaf.path, f"has no effect: {config.optimizer.optimizer} has no such setting", "warning")


def _listed(choices: tuple[str, ...]) -> str:
    """The choices as a list in words: `A`, `A and B`, `A, B and C`."""
    *most, last = (str(choice) for choice in choices)
    return f"{', '.join(most)} and {last}" if most else f"only {last}"


def _cure(default: object) -> str:
    shown = to_json(default)
    if shown in ("", None) or shown == []:
        return "leave it empty"
    return f"set it to {json.dumps(shown) if isinstance(shown, bool) else shown}"


def _otherwise(cure: str) -> str:
    return f"{cure}, or choose the OneTrainer engine"
