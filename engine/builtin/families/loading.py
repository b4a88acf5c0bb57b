"""The list of model families. Code outside this folder does not know which family it trains."""

from __future__ import annotations

import torch

from engine.builtin.config.enums import TrainingMethod
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.decoder import InpaintingDecoder, StableDiffusionDecoder
from engine.builtin.families.inpainting import StableDiffusionInpainting, StableDiffusionXLInpainting
from engine.builtin.families.stable_diffusion import StableDiffusion
from engine.builtin.families.stable_diffusion_xl import StableDiffusionXL

FAMILIES: tuple[type[ModelFamily], ...] = (
    StableDiffusion,
    StableDiffusionInpainting,
    StableDiffusionXL,
    StableDiffusionXLInpainting,
)
DECODERS: tuple[type[ModelFamily], ...] = (StableDiffusionDecoder, InpaintingDecoder)


def load_family(config: TrainConfig, device: torch.device) -> ModelFamily:
    """The loaded model of the config's type; raises MissingModel with a sentence."""
    families = DECODERS if config.training_method is TrainingMethod.FINE_TUNE_VAE else FAMILIES
    kind = next(family for family in families if config.model_type in family.model_types)
    return kind(config, device)
