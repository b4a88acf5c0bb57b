"""Configs and tokenizer of the published Stable Diffusion 1, 2 and XL, so that a single file of them needs no hub.

The numbers are those of the published models (Rombach et al., arXiv:2112.10752, and the model cards of 1.5, 2.0 and
2.1). No torch: the check of a config asks which model types are known.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.builtin.config.enums import ModelType
from engine.builtin.config.model_types import MASK_INPUT, SDXL
from engine.interface.json_types import JsonObject

CONFIGS = "diffusers_configs"  # the key of a file's metadata: a JSON object of {file name: text}
MERGES = Path(__file__).with_name("clip") / "merges.txt"
BY_VELOCITY = (ModelType.STABLE_DIFFUSION_20, ModelType.STABLE_DIFFUSION_21)
OF_21 = (ModelType.STABLE_DIFFUSION_21, ModelType.STABLE_DIFFUSION_21_BASE)
OF_2 = (*BY_VELOCITY, ModelType.STABLE_DIFFUSION_20_BASE, ModelType.STABLE_DIFFUSION_21_BASE)
OF_2_INPAINTING = ModelType.STABLE_DIFFUSION_20_INPAINTING
INPAINTING = MASK_INPUT
KNOWN = (ModelType.STABLE_DIFFUSION_15, *OF_2, ModelType.STABLE_DIFFUSION_XL_10_BASE, *INPAINTING)

UNET: JsonObject = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
UNET_OF_2 = {"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": True}
UNET_OF_XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
    "transformer_layers_per_block": [1, 2, 10],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "use_linear_projection": True,
}
VAE: JsonObject = {
    "_class_name": "AutoencoderKL",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "scaling_factor": 0.18215,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT_ENCODER: JsonObject = {
    "architectures": ["CLIPTextModel"],
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "projection_dim": 768,
    "vocab_size": 49408,
}
TEXT_ENCODER_OF_2 = {  # of OpenCLIP's 24 layers, the last is not used
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
    "projection_dim": 512,
}
TEXT_ENCODER_2_OF_XL = {
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
}
VAE_OF_XL = {"force_upcast": True, "sample_size": 1024, "scaling_factor": 0.13025}
SCHEDULER_OF_XL = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}
SCHEDULER: JsonObject = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
START, END = "<|startoftext|>", "<|endoftext|>"


@contextmanager
def published_configs(model_type: ModelType) -> Iterator[str | None]:
    """A folder for `from_single_file(config=...)`, while it is needed; None for a model type that is not listed."""
    if model_type not in KNOWN:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        for file, content in _files(model_type).items():
            path = Path(name) / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        yield name


def _files(model_type: ModelType) -> dict[str, JsonObject | str]:
    if model_type in SDXL:
        return _files_of_xl(model_type)
    is_2 = model_type in (*OF_2, OF_2_INPAINTING)
    prediction = "v_prediction" if model_type in BY_VELOCITY else "epsilon"
    return {
        "model_index.json": _index(model_type),
        "unet/config.json": unet_config(model_type),
        "vae/config.json": VAE,
        "text_encoder/config.json": TEXT_ENCODER | (TEXT_ENCODER_OF_2 if is_2 else {}),
        "scheduler/scheduler_config.json": SCHEDULER | {"prediction_type": prediction},
        "tokenizer/tokenizer_config.json": _tokenizer_config("!" if is_2 else END),
        "tokenizer/vocab.json": vocabulary(),
        "tokenizer/merges.txt": MERGES.read_text(encoding="utf-8"),
    }


def _files_of_xl(model_type: ModelType) -> dict[str, JsonObject | str]:
    tokenizers: dict[str, JsonObject | str] = {}
    for folder, padding in (("tokenizer", END), ("tokenizer_2", "!")):
        tokenizers |= {
            f"{folder}/tokenizer_config.json": _tokenizer_config(padding),
            f"{folder}/vocab.json": vocabulary(),
            f"{folder}/merges.txt": MERGES.read_text(encoding="utf-8"),
        }
    return {
        "model_index.json": _index_of_xl(model_type),
        "unet/config.json": unet_config(model_type),
        "vae/config.json": VAE | VAE_OF_XL,
        "text_encoder/config.json": TEXT_ENCODER,
        "text_encoder_2/config.json": TEXT_ENCODER | TEXT_ENCODER_2_OF_XL,
        "scheduler/scheduler_config.json": SCHEDULER | SCHEDULER_OF_XL,
        **tokenizers,
    }


def unet_config(model_type: ModelType) -> JsonObject:
    """The config of the type's UNet; 768-pixel models of version 2 differ in their size, and 2.1 in its attention."""
    config = dict(UNET)
    if model_type in (*OF_2, OF_2_INPAINTING):
        config |= UNET_OF_2 | {"upcast_attention": model_type in OF_21}
    if model_type in SDXL:
        config |= UNET_OF_XL
    if model_type in BY_VELOCITY:
        config["sample_size"] = 96
    if model_type in INPAINTING:
        config["in_channels"] = 9  # a latent, the mask, and the latent of the picture around it
    return config


def _index(model_type: ModelType) -> JsonObject:
    inpainting = model_type in INPAINTING
    return {
        "_class_name": "StableDiffusionInpaintPipeline" if inpainting else "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _index_of_xl(model_type: ModelType) -> JsonObject:
    inpainting = model_type in INPAINTING
    return {
        "_class_name": "StableDiffusionXLInpaintPipeline" if inpainting else "StableDiffusionXLPipeline",
        "force_zeros_for_empty_prompt": True,
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _tokenizer_config(padding: str) -> JsonObject:
    """Version 2 was trained with captions that are filled up with "!", whose token is 0."""
    return {
        "add_prefix_space": False,
        "bos_token": START,
        "do_lower_case": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": 77,
        "pad_token": padding,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }


def vocabulary() -> JsonObject:
    """CLIP's tokens by number: the 256 bytes, each also at the end of a word, then one for each merge, then two marks.

    A byte that cannot be printed stands as a letter from 256 on, as in GPT-2's tokenizer (Radford et al., 2019).
    """
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = len([byte for byte in range(256) if byte not in printed])
    letters = [*map(chr, printed), *(chr(256 + number) for number in range(others))]
    merges = MERGES.read_text(encoding="utf-8").splitlines()[1:]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    return {token: number for number, token in enumerate([*tokens, START, END])}
