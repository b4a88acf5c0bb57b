"""Checks of the settings within a concept that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.builtin.config.concept import ConceptImageConfig, ConceptTextConfig
from engine.builtin.config.concept_effects import COLOURS
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import Problem

CASES = ("capslock", "title", "first", "random")


def check_concepts(config: TrainConfig) -> Iterator[Problem]:
    """The problems of every enabled concept."""
    for number, concept in enumerate(config.concepts or []):
        if concept.enabled:
            prefix = f"concepts.{number}"
            yield from _colours(concept.image, f"{prefix}.image.")
            yield from _tags(concept.text, f"{prefix}.text.")


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
    if not text.tag_delimiter and (text.enable_tag_shuffling or text.tag_dropout_enable or text.caps_randomize_enable):
        yield Problem(f"{prefix}tag_delimiter", "is empty; enter what separates tags, such as a comma")
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
        return
    if not special.strip():
        yield Problem(field, "is empty, so no tag is special; enter the special tags", "warning")
    elif text.tag_dropout_special_tags_regex and not special.endswith((".txt", ".csv")):
        for pattern in special.split(text.tag_delimiter or ","):
            try:
                re.compile(pattern.strip())
            except re.error as error:
                why = f"{pattern.strip()!r} is not a regular expression ({error}), so it stands for itself"
                yield Problem(field, why, "warning")
