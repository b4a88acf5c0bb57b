"""A concept: pictures with captions, and how they are used."""

from __future__ import annotations

from dataclasses import dataclass

from engine.builtin.config.enums import BalancingStrategy, ConceptType
from engine.builtin.config.settings import Settings, setting
from engine.interface.json_types import JsonObject


@dataclass(kw_only=True)
class ConceptImageConfig(Settings):
    """Changes to a concept's pictures before training."""

    enable_crop_jitter: bool = setting(True)
    enable_random_flip: bool = setting(False)
    enable_fixed_flip: bool = setting(False)
    enable_random_rotate: bool = setting(False)
    enable_fixed_rotate: bool = setting(False)
    random_rotate_max_angle: float = setting(0.0, minimum=0, maximum=360)
    enable_random_brightness: bool = setting(False)
    enable_fixed_brightness: bool = setting(False)
    random_brightness_max_strength: float = setting(0.0, minimum=-1000, maximum=1000)
    enable_random_contrast: bool = setting(False)
    enable_fixed_contrast: bool = setting(False)
    random_contrast_max_strength: float = setting(0.0, minimum=-1000, maximum=1000)
    enable_random_saturation: bool = setting(False)
    enable_fixed_saturation: bool = setting(False)
    random_saturation_max_strength: float = setting(0.0, minimum=-1000, maximum=1000)
    enable_random_hue: bool = setting(False)
    enable_fixed_hue: bool = setting(False)
    random_hue_max_strength: float = setting(0.0, minimum=-1000, maximum=1000)
    enable_resolution_override: bool = setting(False)
    resolution_override: str = setting("512")
    enable_random_circular_mask_shrink: bool = setting(False)
    enable_random_mask_rotate_crop: bool = setting(False)


@dataclass(kw_only=True)
class ConceptTextConfig(Settings):
    """The source of a concept's captions, and changes to them."""

    prompt_source: str = setting("sample")
    prompt_path: str = setting("")
    enable_tag_shuffling: bool = setting(False)
    tag_delimiter: str = setting(",")
    keep_tags_count: int = setting(1, minimum=0)
    tag_dropout_enable: bool = setting(False)
    tag_dropout_mode: str = setting("FULL")
    tag_dropout_probability: float = setting(0.0, minimum=0, maximum=1)
    tag_dropout_special_tags_mode: str = setting("NONE")
    tag_dropout_special_tags: str = setting("")
    tag_dropout_special_tags_regex: bool = setting(False)
    caps_randomize_enable: bool = setting(False)
    caps_randomize_mode: str = setting("capslock, title, first, random")
    caps_randomize_probability: float = setting(0.0, minimum=0, maximum=1)
    caps_randomize_lowercase: bool = setting(False)


@dataclass(kw_only=True)
class ConceptConfig(Settings):
    """A folder of pictures with captions."""

    json_version = 2

    image: ConceptImageConfig = setting(ConceptImageConfig)
    text: ConceptTextConfig = setting(ConceptTextConfig)
    name: str = setting("")
    path: str = setting("")
    seed: int = setting(0)
    enabled: bool = setting(True)
    type: ConceptType = setting(ConceptType.STANDARD)
    include_subdirectories: bool = setting(False)
    image_variations: int = setting(1, minimum=1, maximum=10_000)
    text_variations: int = setting(1, minimum=1, maximum=10_000)
    balancing: float = setting(1.0, minimum=0, maximum=1e6)
    balancing_strategy: BalancingStrategy = setting(BalancingStrategy.REPEATS)
    loss_weight: float = setting(1.0, minimum=0, maximum=1e6)
    concept_stats: JsonObject = setting(dict)
