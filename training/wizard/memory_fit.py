"""Peak memory of a plan: by the estimate that a preflight shows, or by the table of families."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.estimates.memory import GIB, estimate_memory
from training.wizard.families import Device, Family, train_format

BYTES = {"FLOAT_32": 4.0, "BFLOAT_16": 2.0, "FLOAT_16": 2.0, "FLOAT_8": 1.0, "NFLOAT_4": 0.56}
RESERVED = 0.9  # GiB: CUDA and its libraries
ADDED = 0.3  # GiB: the LoRA with its gradients and optimizer
UNCHECKPOINTED = 5.0  # factor on the activations without gradient checkpointing


@dataclass(frozen=True)
class Load:
    """What decides the memory that a LoRA takes: `resolution` in pixels, `weights` the format of the denoiser."""

    resolution: int
    batch: int
    weights: str
    checkpointing: bool
    rank: int
    trains_text: bool


def peak(family: Family, device: Device, load: Load) -> float:
    """Peak memory in GiB while a LoRA is trained."""
    if family.tiny or family.quantized:
        return _by_table(family, device, load)
    return _estimated(family.model_type, train_format(device), load)


@lru_cache(maxsize=4096)
def _estimated(model_type: str, number_format: str, load: Load) -> float:
    part = {"train": True, "weight_dtype": number_format, "gradient_checkpointing": load.checkpointing}
    config = TrainConfig.from_dict(
        {
            "model_type": model_type,
            "training_method": "LORA",
            "resolution": str(load.resolution),
            "batch_size": load.batch,
            "train_dtype": number_format,
            "lora_rank": load.rank,
            "unet": part,
            "text_encoder": {**part, "train": load.trains_text},
            "text_encoder_2": {**part, "train": load.trains_text},
        }
    )
    return estimate_memory(config, None, on_gpu=number_format != "FLOAT_32").total / GIB


def _by_table(family: Family, device: Device, load: Load) -> float:
    """The denoiser and the activations of a batch; the text encoders leave the device after caching."""
    size = BYTES[load.weights] if device.is_gpu else BYTES["FLOAT_32"]
    denoiser = family.parameters * size * 1e9 / GIB
    area = (load.resolution / family.native) ** 2
    per_picture = (
        family.activations * area * (1 if load.checkpointing else UNCHECKPOINTED) * (1 if device.is_gpu else 2)
    )
    return RESERVED + ADDED * (not family.tiny) + denoiser + per_picture * load.batch
