"""Checks of the settings within a concept: what a switch leaves without effect, and values that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.builtin.config.concept import ConceptConfig, ConceptImageConfig, ConceptTextConfig
from engine.builtin.config.settings import Settings
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import Problem

COLOURS = ("brightness", "contrast", "saturation", "hue")
CASES = ("capslock", "title", "first", "random")
DROPS_TAGS = ("tag_dropout_enable",)
CHANGES_CASE = ("caps_randomize_enable",)

# Settings that have an effect only if one of these switches is on.
IMAGE_SWITCHES: dict[str, tuple[str, ...]] = {
    "random_rotate_max_angle": ("enable_random_rotate", "enable_fixed_rotate"),
    **{f"random_{what}_max_strength": (f"enable_random_{what}", f"enable_fixed_{what}") for what in COLOURS},
    "resolution_override": ("enable_resolution_override",),
}
TEXT_SWITCHES: dict[str, tuple[str, ...]] = {
    "tag_delimiter": ("enable_tag_shuffling", "tag_dropout_enable", "caps_randomize_enable"),
    "keep_tags_count": ("enable_tag_shuffling", "tag_dropout_enable"),
    "tag_dropout_mode": DROPS_TAGS,
    "tag_dropout_probability": DROPS_TAGS,
    "tag_dropout_special_tags_mode": DROPS_TAGS,
    "tag_dropout_special_tags": DROPS_TAGS,
    "tag_dropout_special_tags_regex": DROPS_TAGS,
    "caps_randomize_mode": CHANGES_CASE,
    "caps_randomize_probability": CHANGES_CASE,
}
# The strength without which a switch changes nothing.
STRENGTHS = {
    **{f"enable_{kind}_rotate": "random_rotate_max_angle" for kind in ("random", "fixed")},
    **{f"enable_{kind}_{what}": f"random_{what}_max_strength" for kind in ("random", "fixed") for what in COLOURS},
    "tag_dropout_enable": "tag_dropout_probability",
    "caps_randomize_enable": "caps_randomize_probability",
}
RANDOM_CHANGES = ("flip", "rotate", *COLOURS)


def check_concepts(config: TrainConfig) -> Iterator[Problem]:
    """The problems of every enabled concept."""
    for number, concept in enumerate(config.concepts or []):
        if concept.enabled:
            prefix = f"concepts.{number}"
            yield from _switched(concept.image, IMAGE_SWITCHES, f"{prefix}.image.")
            yield from _switched(concept.text, TEXT_SWITCHES, f"{prefix}.text.")
            yield from _pairs(concept.image, f"{prefix}.image.")
            yield from _colours(concept.image, f"{prefix}.image.")
            yield from _tags(concept.text, f"{prefix}.text.")
            yield from _variations(config, concept, f"{prefix}.")


def _switched(settings: Settings, switches: dict[str, tuple[str, ...]], prefix: str) -> Iterator[Problem]:
    """Report values whose switch is off, and switches whose strength is 0."""
    for name, needed in switches.items():
        if getattr(settings, name) != settings.default_of(name) and not any(getattr(settings, on) for on in needed):
            yield Problem(prefix + name, f"has no effect, because {' and '.join(needed)} is off", "warning")
    for switch, strength in STRENGTHS.items():
        if strength in switches and getattr(settings, switch) and not getattr(settings, strength):
            why = f"has no effect, because {strength} is 0; raise it, or turn this off"
            yield Problem(prefix + switch, why, "warning")


def _pairs(image: ConceptImageConfig, prefix: str) -> Iterator[Problem]:
    """A change that is both random and fixed is random."""
    for what in RANDOM_CHANGES:
        if getattr(image, f"enable_fixed_{what}") and getattr(image, f"enable_random_{what}"):
            why = f"has no effect, because enable_random_{what} is on; turn one of them off"
            yield Problem(f"{prefix}enable_fixed_{what}", why, "warning")


def _colours(image: ConceptImageConfig, prefix: str) -> Iterator[Problem]:
    """A fixed change must be a colour; a random one is limited when it is chosen."""
    for what in COLOURS:
        strength = getattr(image, f"random_{what}_max_strength")
        if not getattr(image, f"enable_fixed_{what}") or getattr(image, f"enable_random_{what}"):
            continue
        if strength < -1 or (what == "hue" and strength > 1):
            limits = "from -1 to 1" if what == "hue" else "at least -1"
            yield Problem(f"{prefix}random_{what}_max_strength", f"must be {limits}, not {strength:g}")


def _tags(text: ConceptTextConfig, prefix: str) -> Iterator[Problem]:
    if not text.tag_delimiter and any(getattr(text, switch) for switch in TEXT_SWITCHES["tag_delimiter"]):
        yield Problem(f"{prefix}tag_delimiter", "is empty; enter what separates tags, such as a comma")
    if text.prompt_path and text.prompt_source != "concept":
        yield Problem(f"{prefix}prompt_path", "has no effect, because prompt_source is not concept", "warning")
    if text.caps_randomize_enable:
        for way in text.caps_randomize_mode.split(","):
            if way.strip() not in CASES:
                why = f"{way.strip()!r} is not one of {', '.join(CASES)}; choose from them, separated by commas"
                yield Problem(f"{prefix}caps_randomize_mode", why)
    if text.tag_dropout_enable:
        yield from _special_tags(text, prefix)


def _special_tags(text: ConceptTextConfig, prefix: str) -> Iterator[Problem]:
    field, special = f"{prefix}tag_dropout_special_tags", text.tag_dropout_special_tags
    if text.tag_dropout_special_tags_mode == "NONE":
        for name in ("tag_dropout_special_tags", "tag_dropout_special_tags_regex"):
            if getattr(text, name):
                why = "has no effect, because tag_dropout_special_tags_mode is NONE"
                yield Problem(prefix + name, why, "warning")
    elif not special.strip():
        yield Problem(field, "is empty, so no tag is special; enter the special tags", "warning")
    elif text.tag_dropout_special_tags_regex and not special.endswith((".txt", ".csv")):
        for pattern in special.split(text.tag_delimiter or ","):
            try:
                re.compile(pattern.strip())
            except re.error as error:
                why = f"{pattern.strip()!r} is not a regular expression ({error}), so it stands for itself"
                yield Problem(field, why, "warning")


def _variations(config: TrainConfig, concept: ConceptConfig, prefix: str) -> Iterator[Problem]:
    """Variations are counted among cached entries, and differ only if something is random."""
    caches_text = config.latent_caching and not config.text_encoder.train
    image = concept.image
    is_random = image.enable_crop_jitter or any(getattr(image, f"enable_random_{what}") for what in RANDOM_CHANGES[1:])
    if concept.image_variations > 1 and not config.latent_caching:
        yield Problem(f"{prefix}image_variations", "has no effect, because latent_caching is off", "warning")
    elif concept.image_variations > 1 and not is_random:
        yield Problem(
            f"{prefix}image_variations", "has no effect, because nothing of the pictures is random", "warning"
        )
    if concept.text_variations > 1 and not caches_text:
        why = "has no effect, because captions are cached only with latent_caching and without text_encoder.train"
        yield Problem(f"{prefix}text_variations", why, "warning")
