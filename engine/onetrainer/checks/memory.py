"""An estimate of the GPU memory of a training by OneTrainer, by part, from the sizes of the model's parts. No torch.

During the training the denoising model, the trained weights and, without latent caching, the text encoders are on the
GPU; while latents and texts are cached, the VAE and the text encoders are there in its place. The larger need counts.
Activations of a transformer: 34 bytes for each token, channel and layer at 16 bits (Korthikanti et al.,
arXiv:2205.05198, with attention that keeps no scores); with checkpointing each layer keeps its input, and one layer is
computed again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.builtin.estimates.memory import CONTEXT, CUDA_CONTEXT, FRAGMENTATION, Estimate
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import Shape
from engine.onetrainer.checks.known_sizes import MILLION, KnownModel, known_model

BYTES = {
    "NONE": 4.0,
    "FLOAT_32": 4.0,
    "TFLOAT_32": 4.0,
    "FLOAT_16": 2.0,
    "BFLOAT_16": 2.0,
    **dict.fromkeys(
        ("FLOAT_8", "INT_8", "FLOAT_W8A8", "INT_W8A8", "FLOAT_W8A8_COMPRESSED", "INT_W8A8_COMPRESSED"), 1.0
    ),
    "NFLOAT_4": 0.55,
    "GGUF": 0.8,
    "GGUF_A8_FLOAT": 0.8,
    "GGUF_A8_INT": 0.8,
}
STATE = {  # bytes of the optimizer's state for each trained value in 32 bits; 8 for those that are not named
    "SGD": 4.0,
    "ADAGRAD": 4.0,
    "LION": 4.0,
    "RMSPROP": 4.0,
    "LARS": 4.0,
    "TIGER": 4.0,
    "SIGNSGD_ADV": 4.0,
    "ADAFACTOR": 0.2,
    "CAME": 4.2,
    "PRODIGY": 16.0,
    "PRODIGY_ADV": 16.0,
    "MUON": 4.0,
}
EIGHT_BIT = 0.26  # of the state in 32 bits: a byte in place of four, and the scale of each block
TOKEN_PIXELS = 256  # a token stands for 16 x 16 pixels
TEXT_TOKENS = 512
KEPT_BYTES, INPUT_BYTES = 34, 2  # per token, channel and layer; with checkpointing
ENCODER_BYTES = 5000.0  # per pixel, at 16 bits, while the VAE encodes a picture
WIDTH_OF_UNETS = 1280
LARGE = re.compile(r"\d+")


@dataclass(frozen=True)
class Sizes:
    """The weights of each part, with the published model where it is known."""

    parts: dict[str, int]
    known: KnownModel | None
    shapes: dict[str, dict[str, Shape]]


def sizes_of(config: JsonObject, parts: list[str], shapes: dict[str, dict[str, Shape]]) -> Sizes | None:
    """From the files on this machine, else as published; None if the denoising model's size is in neither."""
    known = known_model(str(config.get("model_type")), str(config.get("base_model_name")))
    counts = {part: sum(math.prod(shape) for shape in shapes[part].values()) for part in parts if part in shapes}
    for part in parts:
        if part not in counts and known and part in known.parts:
            counts[part] = known.parts[part] * MILLION
    return Sizes(counts, known, shapes) if parts and parts[0] in counts else None


def estimate_memory(config: JsonObject, parts: list[str], sizes: Sizes, of_unet: int | None = None) -> Estimate:
    """The peak of a training on a GPU; a part of unknown size counts nothing. `of_unet` are a UNet's activations."""
    trained = dict(_trained(config, parts, sizes))
    total = sum(trained.values())
    training = {
        f"weights of the {parts[0]}": _weights(config, parts[0], sizes),
        "weights of text encoders": sum(_weights(config, part, sizes) for part in _resident(config, parts, trained)),
        "trained weights": int(total * 4) if _method(config) == "LORA" else 0,
        "gradients": int(total * _width_of_training(config, parts[0])),
        "optimizer": int(total * _state_bytes(config)),
        "averages": total * 4 if config.get("ema") == "GPU" else 0,
        "activations": _activations(config, parts[0], sizes) if of_unet is None else of_unet,
    }
    caching = {f"weights of the {part}, while caching": _weights(config, part, sizes) for part in parts[1:]}
    caching["activations of the VAE, while caching"] = int(_pixels(config) * ENCODER_BYTES)
    largest = max(training, caching, key=lambda needs: sum(needs.values()))
    needs = {name: size for name, size in largest.items() if size}
    return Estimate({**needs, "fragmentation": int(sum(needs.values()) * FRAGMENTATION), CUDA_CONTEXT: CONTEXT})


def _method(config: JsonObject) -> str:
    return str(config.get("training_method"))


def _weights(config: JsonObject, part: str, sizes: Sizes) -> int:
    """On the GPU: in the data type of the part, without the share that is offloaded."""
    settings = _object(config, part)
    if settings.get("include") is False:
        return 0
    dtype = str(settings.get("weight_dtype"))
    fraction = settings.get("offload_fraction")
    offloaded = fraction if isinstance(fraction, float) and settings.get("gradient_checkpointing") is not False else 0.0
    return int(sizes.parts.get(part, 0) * BYTES.get(dtype, 4.0) * (1 - min(1.0, offloaded)))


def _resident(config: JsonObject, parts: list[str], trained: dict[str, int]) -> Iterator[str]:
    """Text encoders that stay on the GPU during the training."""
    caches = config.get("latent_caching") is not False
    yield from (part for part in parts[1:] if part.startswith("text_encoder") and (part in trained or not caches))


def _trained(config: JsonObject, parts: list[str], sizes: Sizes) -> Iterator[tuple[str, int]]:
    """The values that the optimizer changes, by part."""
    if _method(config) == "EMBEDDING":
        return
    for part in parts:
        is_denoiser = part == parts[0]
        if part not in sizes.parts or not (is_denoiser or part.startswith("text_encoder")):
            continue
        if _object(config, part).get("train") is True:
            yield part, _lora_values(config, part, sizes) if _method(config) == "LORA" else sizes.parts[part]


def _lora_values(config: JsonObject, part: str, sizes: Sizes) -> int:
    """Rank times the sides of each matrix; without its shapes from the width: two sides of a square matrix."""
    rank = config.get("lora_rank")
    rank = rank if isinstance(rank, int) else 16
    matrices = [shape for shape in sizes.shapes.get(part, {}).values() if len(shape) in (2, 4) and min(shape[:2]) > 16]
    if matrices:
        return sum(rank * (shape[0] + math.prod(shape[1:])) for shape in matrices)
    width = (sizes.known.width if sizes.known else 0) or WIDTH_OF_UNETS
    return int(sizes.parts[part] * rank * 2 / width)


def _width_of_training(config: JsonObject, part: str) -> float:
    """Bytes of a gradient: those of its weight; LoRA weights and quantized parts train in their own type."""
    dtype = config.get("lora_weight_dtype") if _method(config) == "LORA" else _object(config, part).get("weight_dtype")
    return max(2.0, BYTES.get(str(dtype), 4.0))


def _state_bytes(config: JsonObject) -> float:
    name = str(_object(config, "optimizer").get("optimizer"))
    whole = STATE.get(name.removesuffix("_8BIT"), 8.0)
    return whole * EIGHT_BIT if name.endswith("_8BIT") else whole


def _activations(config: JsonObject, part: str, sizes: Sizes) -> int:
    batch = config.get("batch_size")
    batch = batch if isinstance(batch, int) else 1
    wide = 2 if config.get("train_dtype") in ("FLOAT_32", "TFLOAT_32") else 1
    checkpoints = _object(config, part).get("gradient_checkpointing") is not False
    width = (sizes.known.width if sizes.known else 0) or WIDTH_OF_UNETS
    layers = (sizes.known.layers if sizes.known else 0) or max(8, sizes.parts[part] // (12 * width * width))
    tokens = _pixels(config) / TOKEN_PIXELS + TEXT_TOKENS
    kept = INPUT_BYTES * layers + KEPT_BYTES if checkpoints else KEPT_BYTES * layers
    return int(tokens * width * kept * batch * wide)


def _pixels(config: JsonObject) -> int:
    """Of the largest training picture."""
    numbers = [int(number) for number in LARGE.findall(str(config.get("resolution")))]
    return min(8192, max(numbers, default=512)) ** 2


def _object(config: JsonObject, name: str) -> JsonObject:
    value = config.get(name)
    return value if isinstance(value, dict) else {}
