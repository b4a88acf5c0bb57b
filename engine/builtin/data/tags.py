"""Changes to a caption's tags before it is encoded: dropped, written in another case, shuffled. No torch.

The order and the meaning of each setting are OneTrainer's, also where they surprise: a caption whose case is changed
loses the space behind its delimiters, and `caps_randomize_lowercase` works while `caps_randomize_enable` is off.
"""

from __future__ import annotations

import csv
import io
import re
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from engine.builtin.config.concept import ConceptTextConfig
from engine.paths.here import opened
from engine.paths.policy import Purpose

REGEX_SIGNS = frozenset(".^$*+?{}[]|()\\")


class TagEditor:
    """Changes captions as a concept's settings say; reads the file of special tags once.

    Raises OSError and UnicodeDecodeError if that file cannot be read.
    """

    def __init__(self, settings: ConceptTextConfig) -> None:
        self.settings = settings
        self.special = special_tags(settings) if settings.tag_dropout_enable else ()

    def edit(self, caption: str, random: Random) -> str:
        """The caption as it is trained this time."""
        settings = self.settings
        if settings.tag_dropout_enable and settings.tag_dropout_probability > 0:
            caption = self._edit_tags(caption, lambda tags: self._dropped(tags, random))
        if settings.caps_randomize_lowercase:
            caption = caption.lower()
        if settings.caps_randomize_enable and settings.caps_randomize_probability > 0:
            caption = self._recased(caption, random)
        if settings.enable_tag_shuffling:
            caption = self._edit_tags(caption, lambda tags: random.sample(tags, len(tags)))
        return caption

    def _edit_tags(self, caption: str, edit: Callable[[list[str]], list[str]]) -> str:
        """Change the tags after the first `keep_tags_count`, which always stay in front."""
        delimiter, kept = self.settings.tag_delimiter, self.settings.keep_tags_count
        tags = [tag.strip() for tag in caption.split(delimiter) if tag.strip()]
        return f"{delimiter} ".join([*tags[:kept], *edit(tags[kept:])])

    def _dropped(self, tags: list[str], random: Random) -> list[str]:
        """The tags that stay; how special tags differ from others is `tag_dropout_special_tags_mode`."""
        settings = self.settings
        special = self._special_among(tags)
        can_drop = {"WHITELIST": lambda tag: tag not in special, "BLACKLIST": lambda tag: tag in special}.get(
            settings.tag_dropout_special_tags_mode, lambda tag: True
        )
        probability = settings.tag_dropout_probability
        if settings.tag_dropout_mode == "FULL":
            dropped = random.random() < probability
            return [tag for tag in tags if not (dropped and can_drop(tag))]
        weighted = settings.tag_dropout_mode == "RANDOM WEIGHTED"
        return [
            tag
            for number, tag in enumerate(tags, start=1)
            if random.random() > probability * (number / len(tags) if weighted else 1) or not can_drop(tag)
        ]

    def _special_among(self, tags: list[str]) -> set[str]:
        if not self.settings.tag_dropout_special_tags_regex:
            return set(self.special)
        patterns = [pattern_of(text) for text in self.special]
        return {tag for tag in tags for text in (tag, tag.strip("()")) if any(p.fullmatch(text) for p in patterns)}

    def _recased(self, caption: str, random: Random) -> str:
        """Each tag in a random case, or unchanged."""
        settings = self.settings
        ways = [way.strip() for way in settings.caps_randomize_mode.split(",")]
        tags = [tag.strip() for tag in caption.split(settings.tag_delimiter)]
        return settings.tag_delimiter.join(
            in_case(tag, random.choice(ways), random) if random.random() < settings.caps_randomize_probability else tag
            for tag in tags
        )


def in_case(tag: str, way: str, random: Random) -> str:
    """The tag as `capslock`, `title`, `first` or `random` writes it."""
    if way == "capslock":
        return tag.upper()
    if way == "title":
        return string.capwords(tag)
    if way == "first":
        return tag.capitalize()
    return "".join(random.choice(letters) for letters in zip(tag.upper(), tag.lower(), strict=False))


def pattern_of(text: str) -> re.Pattern[str]:
    """The text as a pattern; one without special signs, or that is not valid, stands for itself."""
    if REGEX_SIGNS.isdisjoint(text):
        return re.compile(re.escape(text))
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))


def special_tags(settings: ConceptTextConfig) -> Sequence[str]:
    """The special tags in the setting itself, or in the .txt or .csv file that it names.

    Raises OSError and UnicodeDecodeError.
    """
    text = settings.tag_dropout_special_tags
    if not text.endswith((".txt", ".csv")):
        return tuple(tag.strip() for tag in text.split(settings.tag_delimiter))
    with io.TextIOWrapper(opened(Path(text), Purpose.READ_TEXT), encoding="utf-8-sig", newline="") as file:
        if text.endswith(".csv"):
            return tuple(row[0] for row in csv.reader(file) if row)
        return tuple(line.rstrip("\r\n") for line in file)
