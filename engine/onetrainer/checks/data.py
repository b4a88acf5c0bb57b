"""A config's concepts as OneTrainer will read them: folders of pictures or videos, or data sets of the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.builtin.reading.scan import ONETRAINER, Reader
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject

# What OneTrainer read when this was written; the checkout's own endings come first.
VIDEOS = frozenset({".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".webm", ".wmv"})
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Kinds:
    """The files that this model type trains on."""

    pictures: Reader
    videos: frozenset[str]

    @classmethod
    def of(cls, facts: JsonObject | None, model_type: object) -> Kinds:
        """Without facts of the checkout videos are possible for every type."""
        if facts is None:
            return cls(ONETRAINER, VIDEOS)
        videos = facts["video_endings"] if model_type in facts["video_models"] else ()
        own = frozenset(facts["image_endings"]) or ONETRAINER.suffixes
        return cls(Reader(own, ONETRAINER.captions, ONETRAINER.is_strict), frozenset(videos))


def look_at_place(number: int, path: str, kinds: Kinds) -> tuple[bool, list[Problem]]:
    """(whether the concept has pictures alone, which can be looked at here; its problems)."""
    field = f"concepts.{number}.path"
    if is_hub_data_set(path):
        text = f"{path!r} is a data set of the hub; the run will download it first, which can take a while"
        return False, [Problem(field, text, "warning")]
    if not path or not Path(path).is_dir():
        text = f"the folder {path!r} does not exist; choose an existing folder, or a data set of the hub"
        return False, [Problem(field, text)]
    return not any(_videos(Path(path), kinds)), []


def is_hub_data_set(path: str) -> bool:
    """True for a name such as `owner/data-set` that is no folder here."""
    return bool(HUB_NAME.fullmatch(path)) and not Path(path).exists()


def _videos(folder: Path, kinds: Kinds) -> Iterator[Path]:
    files = folder.rglob("*") if kinds.videos else ()
    yield from (file for file in files if file.suffix.lower() in kinds.videos)
