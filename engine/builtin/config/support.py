"""The settings that the built-in trainer supports; `check` reads these tables.

A setting that is in none of them is supported. Nothing is ignored silently: an unsupported setting is an error, and a
setting that makes no difference is a warning if it was changed. A setting that matters under conditions only is in
none of these tables: `applies` in `engine/fields.toml` has the conditions that every engine shares, `effects.py` those
of this trainer.
"""

from __future__ import annotations

import re

from engine.builtin.config.enums import (
    ConceptType,
    DataType,
    LossWeight,
    ModelType,
    Optimizer,
    PeftType,
    TrainingMethod,
)
from engine.builtin.config.model_types import SDXL
from engine.builtin.config.train_config import TrainConfig

PARTS = ("unet", "text_encoder", "text_encoder_2")
FLOATS = (DataType.FLOAT_32, DataType.FLOAT_16, DataType.BFLOAT_16)

# The values that the trainer supports, if OneTrainer has more.
CHOICES: dict[str, tuple[str, ...]] = {
    "model_type": (
        ModelType.STABLE_DIFFUSION_15,
        ModelType.STABLE_DIFFUSION_15_INPAINTING,
        ModelType.STABLE_DIFFUSION_20,
        ModelType.STABLE_DIFFUSION_20_BASE,
        ModelType.STABLE_DIFFUSION_20_INPAINTING,
        ModelType.STABLE_DIFFUSION_21,
        ModelType.STABLE_DIFFUSION_21_BASE,
        *SDXL,
    ),
    "training_method": (TrainingMethod.LORA, TrainingMethod.FINE_TUNE, TrainingMethod.FINE_TUNE_VAE),
    "optimizer.optimizer": (Optimizer.ADAMW, Optimizer.PRODIGY, Optimizer.ADAFACTOR),
    "loss_weight_fn": (
        LossWeight.CONSTANT,
        LossWeight.P2,
        LossWeight.MIN_SNR_GAMMA,
        LossWeight.DEBIASED_ESTIMATION,
    ),
    "peft_type": (PeftType.LORA,),
    "layer_filter_preset": ("full", "attn-mlp", "attn-only", "custom"),
    "train_dtype": FLOATS,
    "output_dtype": FLOATS,
    "unet.weight_dtype": FLOATS,
    "text_encoder.weight_dtype": FLOATS,
    "text_encoder_2.weight_dtype": FLOATS,
    "vae.weight_dtype": FLOATS,
    "lora_weight_dtype": (DataType.FLOAT_32,),
    "concepts.*.type": (ConceptType.STANDARD,),
    "concepts.*.text.prompt_source": ("sample", "concept", "filename"),
    "concepts.*.text.tag_dropout_mode": ("FULL", "RANDOM", "RANDOM WEIGHTED"),
    "concepts.*.text.tag_dropout_special_tags_mode": ("NONE", "WHITELIST", "BLACKLIST"),
}

# Values that no engine can train with, although a config may have them.
NOWHERE: dict[str, str] = {
    ModelType.STABLE_DIFFUSION_20_DEPTH: "depth models cannot be trained: OneTrainer too makes no depth pictures for "
    "them; choose another kind of model",
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
    "custom_conditioning_image": "use conditioning pictures",
    "additional_embeddings": "train embeddings",
    "lora_decompose": "have DoRA",
    "optimizer.fused_back_pass": "update weights within the backward pass",
    "optimizer.fsdp_in_use": "spread weights over several GPUs",
    "optimizer.maximize": "maximize the loss",
    "optimizer.capturable": "capture CUDA graphs",
    "optimizer.differentiable": "let gradients flow through the optimizer",
    "optimizer.compile": "compile the optimizer",
    **{f"{part}.model_name": "load this part from another model" for part in (*PARTS, "vae")},
    **{f"{part}.include": "exclude parts" for part in (*PARTS, "vae")},
    **{f"{part}.offload_fraction": "offload weights" for part in (*PARTS, "vae")},
    **{f"{part}.activation_offloading": "offload activations" for part in (*PARTS, "vae")},
}

# Settings that make no difference to the trainer, with the reason. A name stands for all settings within it too.
NO_SUCH_PART = "Stable Diffusion has no such part"
NOT_TRAINED = "the part that it belongs to is not trained"
NO_CASE = "the tokenizer of Stable Diffusion reads upper case as lower case"
CHARTS = "the site itself shows the charts and samples"
NO_EFFECT: dict[str, str] = {
    **dict.fromkeys(("tensorboard", "tensorboard_expose", "tensorboard_always_on", "tensorboard_port"), CHARTS),
    "samples_to_tensorboard": CHARTS,
    "temp_device": "all parts stay on the training device",
    "async_offloading": "nothing is offloaded",
    "fallback_train_dtype": "all parts compute in train_dtype",
    "enable_autocast_cache": "torch manages its memory",
    "attention_mechanism": "torch chooses the fastest attention that the GPU has",
    "cloud": "the run trains on this machine",
    "secrets": "tokens come from the environment, such as HF_TOKEN",
    "quantization": "nothing is quantized",
    "clear_cache_before_training": "cache entries are found by content, so an old entry is never used by mistake",
    **dict.fromkeys(
        (
            "prior",
            "transformer",
            "unconditional_transformer",
            "text_encoder_sequence_length",
            "text_encoder_2_sequence_length",
            *(name for name in TrainConfig.hints() if re.match("text_encoder_[34]", name)),
            "effnet_encoder",
            "decoder",
            "decoder_text_encoder",
            "decoder_vqgan",
            "vb_loss_strength",
        ),
        NO_SUCH_PART,
    ),
    **{
        f"vae.{name}": "the VAE is trained by FINE_TUNE_VAE alone, to the end"
        for name in ("train", "stop_training_after", "stop_training_after_unit", "dropout_probability")
    },
    **{
        f"{part}.{name}": NO_SUCH_PART
        for part in (*PARTS, "vae")
        for name in ("train_embedding", "attention_mask", "guidance_scale")
    },
    "unet.dropout_probability": "captions are dropped by text_encoder.dropout_probability",
    "dynamic_timestep_shifting": "it is for flow matching models, and Stable Diffusion is none",
    "samples.*.force_last_timestep": "rescale_noise_scheduler_to_zero_terminal_snr decides it, as in OneTrainer",
    "embedding": NOT_TRAINED,
    "embedding_learning_rate": NOT_TRAINED,
    "embedding_weight_dtype": NOT_TRAINED,
    "preserve_embedding_norm": NOT_TRAINED,
    "bundle_additional_embeddings": NOT_TRAINED,
    **dict.fromkeys(("optimizer.beta1_warmup", "optimizer.min_beta1"), "no optimizer has such a setting"),
    **{f"concepts.*.text.caps_randomize_{name}": NO_CASE for name in ("enable", "mode", "probability", "lowercase")},
    "optimizer.foreach": "torch chooses the fastest method",
    "optimizer.stochastic_rounding": "trained weights are kept in 32 bits",
    **{
        f"samples.*.{name}": NO_SUCH_PART
        for name in (
            "frames",
            "length",
            "text_encoder_1_sequence_length",
            "text_encoder_2_sequence_length",
            "text_encoder_3_layer_skip",
            "text_encoder_4_layer_skip",
            "transformer_attention_mask",
        )
    },
}
