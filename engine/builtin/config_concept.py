"""A concept: pictures with captions, and how they are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.builtin.enums import BalancingStrategy, ConceptType
from engine.builtin.settings import Settings, setting


@dataclass(kw_only=True)
class ConceptImageConfig(Settings):
    """How a concept's pictures are changed before they are trained on."""

    enable_crop_jitter: bool = setting(True, "Cut at a chance place instead of at the centre.")
    enable_random_flip: bool = setting(False, "Mirror half of the pictures, by chance, each epoch.")
    enable_fixed_flip: bool = setting(False, "Mirror all pictures.")
    enable_random_rotate: bool = setting(False, "Turn pictures by chance.")
    enable_fixed_rotate: bool = setting(False, "Turn all pictures.")
    random_rotate_max_angle: float = setting(0.0, "By how many degrees at most.", minimum=0, maximum=360)
    enable_random_brightness: bool = setting(False, "Change the brightness by chance.")
    enable_fixed_brightness: bool = setting(False, "Change the brightness of all pictures.")
    random_brightness_max_strength: float = setting(0.0, "How much.")
    enable_random_contrast: bool = setting(False, "Change the contrast by chance.")
    enable_fixed_contrast: bool = setting(False, "Change the contrast of all pictures.")
    random_contrast_max_strength: float = setting(0.0, "How much.")
    enable_random_saturation: bool = setting(False, "Change the saturation by chance.")
    enable_fixed_saturation: bool = setting(False, "Change the saturation of all pictures.")
    random_saturation_max_strength: float = setting(0.0, "How much.")
    enable_random_hue: bool = setting(False, "Change the hue by chance.")
    enable_fixed_hue: bool = setting(False, "Change the hue of all pictures.")
    random_hue_max_strength: float = setting(0.0, "How much.")
    enable_resolution_override: bool = setting(False, "Train this concept at a resolution of its own.")
    resolution_override: str = setting("512", "That resolution.")
    enable_random_circular_mask_shrink: bool = setting(False, "Shrink masks to a circle by chance.")
    enable_random_mask_rotate_crop: bool = setting(False, "Turn and cut around the mask by chance.")


@dataclass(kw_only=True)
class ConceptTextConfig(Settings):
    """Where a concept's captions come from, and how they are changed."""

    prompt_source: str = setting("sample", "sample: a .txt beside each picture; concept: one file; filename.")
    prompt_path: str = setting("", "That one file; each of its lines is a caption.")
    enable_tag_shuffling: bool = setting(False, "Shuffle the tags of a caption.")
    tag_delimiter: str = setting(",", "What stands between tags.")
    keep_tags_count: int = setting(1, "The first tags that stay in place.", minimum=0)
    tag_dropout_enable: bool = setting(False, "Leave out tags by chance.")
    tag_dropout_mode: str = setting("FULL", "All tags, each by chance, or more towards the end.")
    tag_dropout_probability: float = setting(0.0, "How often.", minimum=0, maximum=1)
    tag_dropout_special_tags_mode: str = setting("NONE", "Whether the special tags are kept or are the only ones.")
    tag_dropout_special_tags: str = setting("", "The special tags.")
    tag_dropout_special_tags_regex: bool = setting(False, "The special tags are regular expressions.")
    caps_randomize_enable: bool = setting(False, "Change upper and lower case by chance.")
    caps_randomize_mode: str = setting("capslock, title, first, random", "In which ways.")
    caps_randomize_probability: float = setting(0.0, "How often.", minimum=0, maximum=1)
    caps_randomize_lowercase: bool = setting(False, "Make all lower case first.")


@dataclass(kw_only=True)
class ConceptConfig(Settings):
    """A folder of pictures with captions."""

    json_version = 2

    image: ConceptImageConfig = setting(ConceptImageConfig, "How its pictures are changed.")
    text: ConceptTextConfig = setting(ConceptTextConfig, "Where its captions come from.")
    name: str = setting("", "What you call it.")
    path: str = setting("", "Its folder.")
    seed: int = setting(0, "What its chance decisions begin from.")
    enabled: bool = setting(True, "Use it.")
    type: ConceptType = setting(ConceptType.STANDARD, "What its pictures are for.")
    include_subdirectories: bool = setting(False, "Use pictures in its subfolders too.")
    image_variations: int = setting(1, "How many ways of cutting each picture are cached.", minimum=1)
    text_variations: int = setting(1, "How many ways of writing each caption are cached.", minimum=1)
    balancing: float = setting(1.0, "How often each picture comes in an epoch, or how many of them come.", minimum=0)
    balancing_strategy: BalancingStrategy = setting(BalancingStrategy.REPEATS, "Which of the two that is.")
    loss_weight: float = setting(1.0, "How much its loss counts.", minimum=0)
    concept_stats: dict[str, Any] = setting(dict, "What was counted in its folder; a note, not a setting.")
