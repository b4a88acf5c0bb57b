"""Fine-tuning of the VAE of Stable Diffusion: its decoder learns to restore pictures from their latents.

The encoder stays as it is, so that the latents keep their meaning for the UNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import Prediction
from engine.builtin.families.inpainting import StableDiffusionInpainting
from engine.builtin.families.precision import to_device
from engine.builtin.families.stable_diffusion import StableDiffusion


class _Decoder(StableDiffusion):
    """Predicts pixels: the prediction is the decoded picture, its target the picture itself."""

    takes_mask = False
    trains_pixels = True

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.mask_scale = 1

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"vae": self.pipeline.vae}

    def modules(self) -> dict[str, nn.Module]:
        return {"unet": self.pipeline.unet, **self.parts_of_text, **self.parts}

    def whole_weights(self, name: str) -> list[nn.Parameter]:
        return list(self.pipeline.vae.decoder.parameters())

    def encode_captions(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """Nothing: a decoder sees no captions."""
        return {}

    def checkpoint_gradients(self, part: nn.Module) -> None:
        if self.device.type != "cpu":
            self.pipeline.vae.enable_gradient_checkpointing()

    def predict(self, latents: dict[str, Tensor], text: dict[str, Tensor], generator: torch.Generator) -> Prediction:
        """Decode in the VAE's own format: in half precision some values of published VAEs overflow."""
        mean, pixels = (to_device(latents[name], self.device) for name in ("mean", "pixels"))
        with torch.autocast(self.device.type, enabled=False):
            predicted = self.pipeline.vae.decode(mean.to(self.pipeline.vae.dtype), return_dict=False)[0]
        without_noise = torch.ones(len(mean), device=self.device)
        return Prediction(predicted.float(), pixels.float(), without_noise, is_velocity=False)


class StableDiffusionDecoder(_Decoder):
    """The VAE of Stable Diffusion 1.x and 2.x."""

    model_types = StableDiffusion.model_types


class InpaintingDecoder(_Decoder, StableDiffusionInpainting):
    """The VAE of an inpainting model, whose samples are painted like those of that model."""

    model_types = StableDiffusionInpainting.model_types
