"""Stable Diffusion XL (Podell et al., arXiv:2307.01952): two text encoders, and a UNet that knows a picture's sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor, nn

from engine.builtin.config.enums import ModelType
from engine.builtin.config.train_config import SampleConfig
from engine.builtin.families.base import Architecture
from engine.builtin.families.precision import to_device
from engine.builtin.families.single_file import clip, open_clip
from engine.builtin.families.stable_diffusion import StableDiffusion

LABELS = {"add_embedding.linear_1": "label_emb_0_0", "add_embedding.linear_2": "label_emb_0_2"}
ALWAYS_SKIPPED = 1  # layers: the UNet was trained with the states before the last one


class StableDiffusionXL(StableDiffusion):
    """Stable Diffusion XL, from a diffusers folder, one safetensors file, or the hub."""

    model_types: ClassVar[tuple[ModelType, ...]] = (ModelType.STABLE_DIFFUSION_XL_10_BASE,)
    pipeline_class: ClassVar[type[Any]] = StableDiffusionXLPipeline
    left_out: ClassVar[dict[str, Any]] = {"feature_extractor": None, "image_encoder": None}
    takes_sizes = True

    @property
    def text_encoders(self) -> tuple[str, ...]:
        return ("text_encoder", "text_encoder_2")

    def encoder_of(self, name: str) -> str:
        return "text_encoder" if name == "hidden" else "text_encoder_2"

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"unet": self.pipeline.unet, **self.parts_of_text}

    @property
    def lora_prefixes(self) -> dict[str, str]:
        return {
            "unet": "lora_unet_",
            "text_encoder": "lora_te1_text_model_",
            "text_encoder_2": "lora_te2_",
        }

    def kohya_layer(self, name: str) -> str:
        """sd-scripts trains the UNet of the original release; diffusers knows two of its layers by that name alone."""
        return LABELS.get(name) or super().kohya_layer(name)

    @property
    def published_names(self) -> dict[str, str]:
        return {"unet": "unet.", "text_encoder": "text_encoder.text_model.", "text_encoder_2": "text_encoder_2."}

    def _smallest_side(self, levels: int) -> int:
        """As in OneTrainer: twice what the UNet itself needs."""
        return 2**levels

    def encode_captions(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """States of both text encoders, (batch, tokens, width) each, and the second one's summary, (batch, width)."""
        return self._encoded(captions, *map(self._skip_of, self.text_encoders))

    def _encoded(self, captions: Sequence[str], skip: int, skip_2: int) -> dict[str, Tensor]:
        first, second = (self._states(captions, name) for name in self.text_encoders)
        return {
            "hidden": first.hidden_states[-1 - ALWAYS_SKIPPED - skip],
            "hidden_2": second.hidden_states[-1 - ALWAYS_SKIPPED - skip_2],
            "pooled": second.text_embeds,
        }

    def _states(self, captions: Sequence[str], encoder: str) -> Any:
        tokenizer = getattr(self.pipeline, encoder.replace("text_encoder", "tokenizer"))
        tokens = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt")
        ids = to_device(tokens.input_ids, self.device)
        return getattr(self.pipeline, encoder)(ids, output_hidden_states=True)

    def _condition(self, text: dict[str, Tensor], latents: dict[str, Tensor]) -> dict[str, Any]:
        states = {name: to_device(state, self.device) for name, state in text.items()}
        added = {"text_embeds": states["pooled"], "time_ids": to_device(latents["sizes"], self.device)}
        return {"encoder_hidden_states": _joined(states), "added_cond_kwargs": added}

    def _sample_texts(self, settings: SampleConfig) -> dict[str, Tensor]:
        """A sample tells the UNet its own size, uncut, as the pipeline does by itself."""
        skips = {
            "text_encoder_1": settings.text_encoder_1_layer_skip or self.config.text_encoder_layer_skip,
            "text_encoder_2": settings.text_encoder_2_layer_skip or self.config.text_encoder_2_layer_skip,
        }
        self._check_layer_skips(skips)
        prompt = self._encoded([settings.prompt], *skips.values())
        negative = self._encoded([settings.negative_prompt], *skips.values())
        return {
            "prompt_embeds": _joined(prompt),
            "pooled_prompt_embeds": prompt["pooled"],
            "negative_prompt_embeds": _joined(negative),
            "negative_pooled_prompt_embeds": negative["pooled"],
        }

    def _texts_in_one_file(self) -> dict[str, Tensor]:
        first, second = (encoder.state_dict() for encoder in self.parts_of_text.values())
        return clip(first, "conditioner.embedders.0.") | open_clip(second, "conditioner.embedders.1.")

    def describe(self) -> Architecture:
        return Architecture(
            kohya="sdxl_base_v1-0",
            modelspec="stable-diffusion-xl-v1-base",
            is_v2=False,
            predicts_velocity=self.is_velocity,
        )


def _joined(states: dict[str, Tensor]) -> Tensor:
    return torch.cat([states["hidden"], states["hidden_2"]], dim=-1)
