"""What is known of each model type before its files are read. No torch."""

from __future__ import annotations

from engine.builtin.config.enums import ModelType

SDXL = (ModelType.STABLE_DIFFUSION_XL_10_BASE, ModelType.STABLE_DIFFUSION_XL_10_BASE_INPAINTING)
# Inpainting models: they see a mask, and the picture outside the mask.
MASK_INPUT = (
    ModelType.STABLE_DIFFUSION_15_INPAINTING,
    ModelType.STABLE_DIFFUSION_20_INPAINTING,
    ModelType.STABLE_DIFFUSION_XL_10_BASE_INPAINTING,
)


def text_encoders(model_type: str) -> tuple[str, ...]:
    """The names of a model's text encoders in a config."""
    return ("text_encoder", "text_encoder_2") if model_type in SDXL else ("text_encoder",)


def trainable_parts(model_type: str) -> tuple[str, ...]:
    """The parts that LORA and FINE_TUNE can train, by the names of their settings."""
    return ("unet", *text_encoders(model_type))


def most_skipped(model_type: str) -> dict[str, int]:
    """By text encoder, how many of its last layers can be left out, in the published models of the type."""
    if model_type in SDXL:  # which always leaves out the last layer
        return {"text_encoder": 11, "text_encoder_2": 31}
    return {"text_encoder": 11 if model_type.startswith(ModelType.STABLE_DIFFUSION_15) else 22}
