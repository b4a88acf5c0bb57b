"""Tiny random models of more families, in the diffusers layout: the real architectures with few and narrow layers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxTransformer2DModel,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from engine.engines import ROOT

DEMO = ROOT / "engine/demo/model"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sdxl(folder: Path) -> Path:
    """Stable Diffusion XL, with text encoders of 32 channels."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
        norm_num_groups=8,
    )
    unet.save_pretrained(folder / "unet")
    _save_clip(CLIPTextModel(_clip()), folder / "text_encoder")
    _save_clip(CLIPTextModelWithProjection(_clip()), folder / "text_encoder_2")
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    scheduler.save_pretrained(folder / "scheduler")
    _vae().save_pretrained(folder / "vae")
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(DEMO / "tokenizer", folder / name)
    return folder


def flux(folder: Path) -> Path:
    """Flux.1, with a transformer of three blocks."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
        guidance_embeds=True,
    )
    transformer.save_pretrained(folder / "transformer")
    _save_clip(CLIPTextModel(_clip()), folder / "text_encoder")
    _t5().save_pretrained(folder / "text_encoder_2")
    _vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06).save_pretrained(folder / "vae")
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / "scheduler")
    shutil.copytree(DEMO / "tokenizer", folder / "tokenizer")
    _t5_tokenizer().save_pretrained(folder / "tokenizer_2")
    return folder


def _clip() -> CLIPTextConfig:
    """As wide as the models above take it, with the tokens of the demo's tokenizer."""
    tokens = json.loads((DEMO / "text_encoder/config.json").read_text())
    same = {name: tokens[name] for name in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")}
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 3}
    return CLIPTextConfig(**same, **sizes, projection_dim=32, max_position_embeddings=77)


def _save_clip(model: CLIPTextModel | CLIPTextModelWithProjection, folder: Path) -> None:
    """With the published names, which transformers before 5.6 alone knows."""
    model.config.save_pretrained(folder)
    own = ("text_model.", "text_projection.")
    state = {
        name if name.startswith(own) else f"text_model.{name}": value for name, value in model.state_dict().items()
    }
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")


def _vae(**changes) -> AutoencoderKL:
    """It makes one latent of 8 x 8 pixels, as the families' own do."""
    return AutoencoderKL(
        sample_size=32,
        block_out_channels=(8, 8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        **changes,
    )


def _t5() -> T5EncoderModel:
    return T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_ff=37, d_kv=8, num_layers=2, num_heads=4))


def _t5_tokenizer() -> T5TokenizerFast:
    """Each letter is a token."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *((letter, -3.0) for letter in LETTERS)]
    return T5TokenizerFast(vocab=pieces, extra_ids=0)
