"""An estimate of a training's peak memory, by part, before it starts. No torch.

Weights, gradients, optimizer state and averages follow from the shapes of the model's weights. Activations are the
tensors that autograd keeps for the backward pass: each layer of the UNet keeps a multiple of its output. The multiples
were measured with `torch.autograd.graph.saved_tensors_hooks` on UNets of Stable Diffusion 1's shape, in float32 and
under autocast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.builtin.config.enums import DataType, EMAMode, Optimizer, TrainingMethod
from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.config.train_config import TrainConfig, trained_parts, whole_parts
from engine.builtin.families.model_files import SD2, SDXL, ModelFiles, kind_of
from engine.interface.json_types import JsonObject

GIB = 1024**3
FULL, HALF = 4, 2  # bytes
CONTEXT = 500_000_000  # of CUDA and its libraries
CPU_LIBRARIES = 160_000_000  # code and buffers of the model's libraries, measured on the demo's training
CUDA_CONTEXT = "CUDA context"  # the part that torch does not count, so a measured peak does not include it
FRAGMENTATION = 0.06  # memory that the allocator cannot use, as a share of the rest
USUAL_PARAMETERS = {"unet": 860_000_000, "text_encoder": 123_000_000, "vae": 83_700_000}
SDXL_PARAMETERS = {
    "unet": 2_567_463_684,
    "text_encoder": 123_060_480,
    "text_encoder_2": 694_659_840,
    "vae": 83_653_863,
}
SD2_PARAMETERS = {"unet": 866_000_000, "text_encoder": 340_000_000, "vae": 83_700_000}
# Both sides of all layers that a LoRA adds to, by part.
SIDES = {"unet": 1_058_000, "text_encoder": 166_000}
SIDES_OF_XL = {"unet": 3_088_000, "text_encoder": 166_000, "text_encoder_2": 740_000}
USUAL_UNET_OF_XL: JsonObject = {
    "block_out_channels": [320, 640, 1280],
    "layers_per_block": 2,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
}
USUAL_UNET: JsonObject = {
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 768,
}
STATE_BYTES = {Optimizer.ADAMW: 8.0, Optimizer.PRODIGY: 8.0, Optimizer.ADAFACTOR: 0.2}
RESIDUAL_KEEPS, ATTENTION_KEEPS = 9, 32  # numbers kept per channel and place, by residual and transformer blocks
DECODER_KEEPS = 5700  # numbers per pixel for the backward pass of the VAE's decoder, measured as above
USUAL_DECODER = 49_490_179
VAE_KEEPS = 128 * 9  # numbers per pixel while a picture is encoded or decoded, at the widest layer
LOOKED_UP = ("token_embedding", "position_embedding")  # tables, to which no LoRA adds


@dataclass(frozen=True)
class Estimate:
    """The bytes needed, by part; `parts` are in the order of display."""

    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    def to_dict(self) -> JsonObject:
        return {"total": self.total, "parts": self.parts}


def estimate_memory(config: TrainConfig, model: ModelFiles | None, on_gpu: bool) -> Estimate:
    """The peak of a training; `model` is None if its files are not on this machine yet."""
    counts = {part: parameters_of(part, config, model) for part in usual_parameters(config)}
    trained = trained_parameters(config, model)
    half = on_gpu and config.train_dtype is not DataType.FLOAT_32
    weights = sum(int(count * _weight_bytes(part, config, half)) for part, count in counts.items())
    training = _activations(config, model, half, on_gpu)
    encoding = _encoding(config, half)
    parts = {
        "weights": weights + (trained * FULL if _adds(config) else 0),
        "gradients": trained * FULL,
        "optimizer": int(trained * state_bytes(config)),
        "averages": trained * FULL if config.ema is EMAMode.GPU or (config.ema is EMAMode.CPU and not on_gpu) else 0,
        "activations": max(training, encoding),
        "half copies": trained * HALF if half else 0,
    }
    parts |= {"fragmentation": int(sum(parts.values()) * FRAGMENTATION), **_base(on_gpu)}
    return Estimate({name: size for name, size in parts.items() if size})


def _base(on_gpu: bool) -> dict[str, int]:
    """The memory in use before the model is loaded."""
    return {CUDA_CONTEXT: CONTEXT} if on_gpu else {"libraries": CPU_LIBRARIES}


def trained_parameters(config: TrainConfig, model: ModelFiles | None) -> int:
    """The number of values that the optimizer changes."""
    if config.training_method is TrainingMethod.FINE_TUNE_VAE:
        return decoder_parameters(model)
    if not _adds(config):
        return sum(parameters_of(part, config, model) for part in whole_parts(config))
    return sum(_lora_parameters(part, config, model) for part in trained_parts(config))


def _adds(config: TrainConfig) -> bool:
    return config.training_method is TrainingMethod.LORA


def parameters_of(part: str, config: TrainConfig, model: ModelFiles | None) -> int:
    return (model.parameters(part) if model else 0) or usual_parameters(config)[part]


def usual_parameters(config: TrainConfig) -> dict[str, int]:
    """The weights of each part of the published model of the config's type."""
    return {SD2: SD2_PARAMETERS, SDXL: SDXL_PARAMETERS}.get(kind_of(config.model_type), USUAL_PARAMETERS)


def decoder_parameters(model: ModelFiles | None) -> int:
    """Of the VAE, which has the same size in Stable Diffusion 1 and 2."""
    shapes = model.shapes.get("vae", {}) if model else {}
    return sum(math.prod(shape) for name, shape in shapes.items() if "decoder." in name) or USUAL_DECODER


def _weight_bytes(part: str, config: TrainConfig, half: bool) -> int:
    """Trained weights are in full precision; frozen weights have the format of their settings, except on a CPU."""
    settings = getattr(config, part)
    return HALF if half and part not in whole_parts(config) and settings.weight_dtype is not DataType.FLOAT_32 else FULL


def state_bytes(config: TrainConfig) -> float:
    """Bytes of the optimizer's state for each trained value."""
    chosen = config.optimizer
    if chosen.optimizer is Optimizer.PRODIGY:
        return STATE_BYTES[Optimizer.PRODIGY] + 2 * FULL / (chosen.slice_p or 1)
    extra = FULL if chosen.optimizer is Optimizer.ADAFACTOR and chosen.beta1 else 0
    return STATE_BYTES.get(chosen.optimizer, 8.0) + extra + (FULL if chosen.amsgrad else 0)


def _lora_parameters(part: str, config: TrainConfig, model: ModelFiles | None) -> int:
    """Rank times the sides of each layer that a LoRA adds to."""
    shapes = model.shapes.get(part, {}) if model else {}
    if not shapes:  # counted in the published models
        sides = SIDES_OF_XL if kind_of(config.model_type) == SDXL else SIDES
        return config.lora_rank * sides[part]
    attention_only = config.layer_filter_preset == "attn-only"
    layers = (
        shape
        for name, shape in shapes.items()
        if name.endswith("weight") and len(shape) in (2, 4) and not any(table in name for table in LOOKED_UP)
        if not attention_only or "attn" in name
    )
    return sum(config.lora_rank * (shape[0] + math.prod(shape[1:])) for shape in layers)


def largest_area(config: TrainConfig) -> int:
    sizes = [parse_resolution(config.resolution)]
    for concept in config.concepts or []:
        if concept.enabled and concept.image.enable_resolution_override:
            sizes.append(parse_resolution(concept.image.resolution_override))
    return max(size.width * size.height for group in sizes for size in group)


def _activations(config: TrainConfig, model: ModelFiles | None, half: bool, on_gpu: bool) -> int:
    """The activations for the backward pass of one batch: the UNet's, or the decoder's."""
    if config.training_method is TrainingMethod.FINE_TUNE_VAE:
        return int(largest_area(config) * DECODER_KEEPS * FULL * config.batch_size)
    usual = USUAL_UNET_OF_XL if kind_of(config.model_type) == SDXL else USUAL_UNET
    unet: JsonObject = (model.unet_config if model else {}) or usual
    channels: list[int] = list(unet.get("block_out_channels") or usual["block_out_channels"])
    layers = int(unet.get("layers_per_block") or 2)
    depth = unet.get("transformer_layers_per_block") or 1
    depths: list[int] = depth if isinstance(depth, list) else [depth] * len(channels)
    places = largest_area(config) / 64  # of the latents
    bytes_each = HALF if half else FULL  # measured: 1.8 and 4.0 bytes for each kept number
    checkpointed = on_gpu and config.unet.gradient_checkpointing
    total = 0.0
    for level, width in enumerate(channels):
        attends = "Attn" in str(unet.get("down_block_types", ["CrossAttn"] * 3 + ["Down"])[level])
        blocks = 2 * layers + 1
        kept = blocks * width * (RESIDUAL_KEEPS + (ATTENTION_KEEPS * depths[level] if attends else 0))
        if checkpointed:  # each block keeps its input, and one block at a time is computed again
            kept = blocks * width * (1 + depths[level]) + (width * ATTENTION_KEEPS * layers if level == 0 else 0)
        total += kept * places / 4**level
    return int(total * bytes_each * config.batch_size)


def _encoding(config: TrainConfig, half: bool) -> int:
    """The VAE's need for one picture, while caching or generating a sample."""
    sides = [sample.width * sample.height for sample in config.samples or [] if sample.enabled]
    area = max([largest_area(config), *sides])
    narrow = half and config.vae.weight_dtype is not DataType.FLOAT_32
    return int(area * VAE_KEEPS * (HALF if narrow else FULL) / 3)
