"""When a setting of a concept matters to the built-in trainer. No torch."""

from __future__ import annotations

from engine.builtin.config.conditions import Condition, any_of, only_if, unless
from engine.builtin.config.model_types import MASK_INPUT, SDXL
from engine.builtin.config.train_config import TrainConfig

MASK_CHANGES = ("circular_mask_shrink", "mask_rotate_crop")
COLOURS = ("brightness", "contrast", "saturation", "hue")
STRENGTHS = {"rotate": "random_rotate_max_angle", **{what: f"random_{what}_max_strength" for what in COLOURS}}


USES_MASKS = any_of(only_if("masked_training", True), only_if("model_type", *MASK_INPUT))


def uses_masks(config: TrainConfig) -> bool:
    """True if the training needs a mask for each picture, which is white all over if there is no file."""
    return config.masked_training or config.model_type in MASK_INPUT


def on(*switches: str) -> Condition:
    """True while one of the concept's switches is on."""
    return any_of(*(only_if(f"./{switch}", True) for switch in switches))


def _changes() -> dict[str, tuple[Condition, ...]]:
    """A strength needs a switch, a switch needs a strength, and a change that is both random and fixed is random."""
    found: dict[str, tuple[Condition, ...]] = {}
    for what, strength in STRENGTHS.items():
        has_strength = unless(f"./image.{strength}", 0)
        found[strength] = (on(f"image.enable_random_{what}", f"image.enable_fixed_{what}"),)
        found[f"enable_random_{what}"] = (has_strength,)
        found[f"enable_fixed_{what}"] = (has_strength, only_if(f"./image.enable_random_{what}", False))
    return {f"concepts.*.image.{name}": conditions for name, conditions in found.items()}


# By setting: all its conditions must hold. Most conditions of captions are in `engine/fields.toml`.
CONCEPTS: dict[str, tuple[Condition, ...]] = {
    **_changes(),
    "concepts.*.image.enable_fixed_flip": (only_if("./image.enable_random_flip", False),),
    "concepts.*.image.enable_random_circular_mask_shrink": (USES_MASKS,),
    "concepts.*.image.enable_random_mask_rotate_crop": (USES_MASKS,),
    "concepts.*.seed": (
        any_of(
            only_if("./text.prompt_source", "sample", "concept"),  # captions may have several lines
            on(
                "text.enable_tag_shuffling",
                "text.tag_dropout_enable",
                "text.caps_randomize_enable",
                "image.enable_crop_jitter",
                *(f"image.enable_random_{what}" for what in (*STRENGTHS, *MASK_CHANGES)),
            ),
        ),
    ),
    "concepts.*.image_variations": (
        only_if("latent_caching", True),
        on("image.enable_crop_jitter", *(f"image.enable_random_{what}" for what in (*STRENGTHS, *MASK_CHANGES))),
    ),
    "concepts.*.text_variations": (
        only_if("latent_caching", True),
        only_if("text_encoder.train", False),
        any_of(only_if("text_encoder_2.train", False), unless("model_type", *SDXL)),
    ),
    "concepts.*.text.tag_delimiter": (
        on("text.enable_tag_shuffling", "text.tag_dropout_enable", "text.caps_randomize_enable"),
    ),
    "concepts.*.text.keep_tags_count": (on("text.enable_tag_shuffling", "text.tag_dropout_enable"),),
    "concepts.*.text.tag_dropout_enable": (unless("./text.tag_dropout_probability", 0),),
    "concepts.*.text.caps_randomize_enable": (unless("./text.caps_randomize_probability", 0),),
    "concepts.*.text.tag_dropout_special_tags": (unless("./text.tag_dropout_special_tags_mode", "NONE"),),
    "concepts.*.text.tag_dropout_special_tags_regex": (unless("./text.tag_dropout_special_tags_mode", "NONE"),),
}
