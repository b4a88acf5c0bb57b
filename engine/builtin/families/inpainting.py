"""Inpainting models of Stable Diffusion: the UNet also sees the mask, and the picture outside the mask.

Its input has 9 channels: the noisy latents, the mask, and the latents of the picture that is grey where the mask is
white. Masks are prepared as OneTrainer prepares them.
"""

from __future__ import annotations

from pathlib import Path

import numpy
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline
from PIL import Image
from torch import Tensor
from torch.nn import functional

from engine.builtin.config.enums import ModelType
from engine.builtin.config.train_config import SampleConfig, TrainConfig
from engine.builtin.families.precision import to_device
from engine.builtin.families.stable_diffusion import StableDiffusion
from engine.builtin.families.stable_diffusion_xl import StableDiffusionXL
from engine.interface.errors import BadConfig, MissingModel, Problem
from engine.paths.here import opened
from engine.paths.policy import Purpose

CHANNELS = 9
EDGE = 2  # pixels by which the area that a sample repaints is smaller than its mask


class Inpainting(StableDiffusion):
    """What an inpainting model adds to its family."""

    takes_mask = True

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        super().__init__(config, device)
        channels = self.pipeline.unet.config.in_channels
        if channels != CHANNELS:
            raise MissingModel(
                f"The base model {config.base_model_name} is no inpainting model: its UNet has {channels} input "
                f"channels instead of {CHANNELS}; choose an inpainting model, or another model_type."
            )

    def _unet_input(self, noisy: Tensor, latents: dict[str, Tensor]) -> Tensor:
        mask, conditioning = (to_device(latents[name], self.device) for name in ("mask", "conditioning"))
        return torch.cat([noisy, mask, conditioning * self.pipeline.vae.config.scaling_factor], dim=1)

    def _sample_inputs(self, settings: SampleConfig) -> dict[str, object]:
        """A sample repaints the part of a picture that its mask chooses, or paints a whole new one."""
        size = (settings.height, settings.width)
        if settings.sample_inpainting:
            picture, mask = (
                _read(settings, "base_image_path", "RGB", size),
                _read(settings, "mask_image_path", "L", size),
            )
        else:
            picture, mask = torch.zeros(3, *size), torch.ones(1, *size)
        seen = (picture * 2 - 1) * (1 - eroded(mask))
        latents = self.encode_images(seen[None])["mean"] * self.pipeline.vae.config.scaling_factor
        return {
            "image": picture[None],
            "mask_image": _at_latents(mask, self.mask_scale)[None],
            "masked_image_latents": latents,
            "strength": 1.0,
        }


class StableDiffusionInpainting(Inpainting):
    """Stable Diffusion 1.5 and 2.0 for inpainting."""

    model_types = (ModelType.STABLE_DIFFUSION_15_INPAINTING, ModelType.STABLE_DIFFUSION_20_INPAINTING)
    pipeline_class = StableDiffusionInpaintPipeline


class StableDiffusionXLInpainting(Inpainting, StableDiffusionXL):
    """Stable Diffusion XL for inpainting."""

    model_types = (ModelType.STABLE_DIFFUSION_XL_10_BASE_INPAINTING,)
    pipeline_class = StableDiffusionXLInpaintPipeline


def eroded(mask: Tensor) -> Tensor:
    """1 where most of the mask (1, height, width) around a place is white, otherwise 0."""
    padded = functional.pad(mask[None], (EDGE,) * 4, mode="replicate")
    return (functional.avg_pool2d(padded, 2 * EDGE + 1, stride=1)[0] > 0.5).float()


def _at_latents(mask: Tensor, scale: int) -> Tensor:
    """1 for each latent that the mask touches, at the mask's own size, because the pipeline shrinks it."""
    height, width = mask.shape[-2:]
    small = functional.interpolate(mask[None], (height // scale, width // scale), mode="bilinear", antialias=True)
    return functional.interpolate((small > 0).float(), (height, width), mode="nearest")[0]


def _read(settings: SampleConfig, field: str, mode: str, size: tuple[int, int]) -> Tensor:
    """(channels, *size) in [0, 1]. Raises BadConfig."""
    path = getattr(settings, field)
    try:
        with opened(Path(path), Purpose.READ_PICTURES) as file, Image.open(file) as image:
            values = numpy.asarray(image.convert(mode), dtype=numpy.float32) / 255
    except OSError as error:
        raise BadConfig([Problem(field, f"{path!r} cannot be read as a picture ({error}); choose another")]) from error
    tensor = torch.from_numpy(values.reshape(*values.shape[:2], -1)).permute(2, 0, 1)
    return functional.interpolate(tensor[None], size, mode="bilinear", antialias=True)[0]
