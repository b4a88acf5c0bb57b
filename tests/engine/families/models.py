"""Untrained models of each family, of the smallest complete size."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from engine.demo.make_tokenizer import make_tokenizer

WIDTH, WIDTH_2 = 16, 24  # diffusers tells the text encoders of a single file apart by their widths
TIME_WIDTH = 8


def make_xl(folder: Path, inputs: int = 4) -> Path:
    """Save a Stable Diffusion XL, always the same; with 9 inputs it is for inpainting."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    of_text = {
        "vocab_size": len(tokenizer),
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    first = CLIPTextModel(CLIPTextConfig(hidden_size=WIDTH, projection_dim=WIDTH, **of_text))
    second = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=WIDTH_2, projection_dim=WIDTH_2, **of_text))
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=inputs,
        block_out_channels=(WIDTH, WIDTH),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        transformer_layers_per_block=(1, 2),
        norm_num_groups=4,
        cross_attention_dim=WIDTH + WIDTH_2,
        attention_head_dim=(2, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=WIDTH_2 + 6 * TIME_WIDTH,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=32,
        scaling_factor=0.13025,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    kind = StableDiffusionXLPipeline if inputs == 4 else StableDiffusionXLInpaintPipeline
    kind(vae, first, second, tokenizer, make_tokenizer(), unet, scheduler).save_pretrained(folder)
    return folder
