"""The files, folders and models that a config names, with what each is for: the engine's schema says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from engine import schema as json_schema
from engine.builtin.config import schema as builtin_schema
from engine.engines import get_engine
from engine.interface.json_types import JsonObject
from engine.interface.paths import exists
from engine.paths.names import is_hub_name
from engine.paths.policy import WRITES, Purpose, expanded

JUDGED = {purpose.value: purpose for purpose in Purpose}  # of the schema's `x-path`; others are no paths of the site
LISTS = (".txt", ".csv")  # with these endings, a text with tags is a file's name
MODELS = ("base_model_name", "lora_model_name")


@dataclass(frozen=True)
class Reads:
    """How an engine understands the paths of a config."""

    schema: JsonObject
    takes_hub_data_sets: bool = False

    @classmethod
    def of(cls, engine: str) -> Reads:
        """Raises UnknownEngine and Unavailable."""
        found = get_engine(engine)
        return cls(found.schema(), found.takes_hub_data_sets)

    @classmethod
    def of_any(cls) -> Reads:
        """For a config that any engine may train: the built-in schema has the fields of OneTrainer too."""
        return cls(builtin_schema.schema(), True)


@dataclass(frozen=True)
class NamedPath:
    """One text of a config that names a file, a folder or a model; `applies` is false if the engine will not use it."""

    field: str
    text: str
    purpose: Purpose
    applies: bool
    is_default: bool
    from_hub: bool = False

    @property
    def is_written(self) -> bool:
        return self.purpose in WRITES

    @property
    def absolute(self) -> str:
        """The path from the place that the engine would use it at; links are kept."""
        text = expanded(self.text)
        found = next((base for base in bases() if exists(str(base / text))), settings.BASE_DIR)
        return str(found / text)


def named_paths(config: JsonObject, reads: Reads) -> Iterator[NamedPath]:
    """Each of the config's paths that is not empty."""
    for field, described, text, item in json_schema.walk_values(reads.schema, config):
        purpose = JUDGED.get(described.get("x-path", ""))
        if purpose is None or not isinstance(text, str) or not text or _is_tags(field, text):
            continue
        applies = json_schema.applies(described, config, item)
        is_default = text == described.get("default")
        yield NamedPath(field, text, purpose, applies, is_default, _is_from_hub(purpose, text, reads))


def _is_tags(field: str, text: str) -> bool:
    return field.endswith("tag_dropout_special_tags") and not text.strip().lower().endswith(LISTS)


def _is_from_hub(purpose: Purpose, text: str, reads: Reads) -> bool:
    if purpose is Purpose.READ_PICTURES:
        return reads.takes_hub_data_sets and is_hub_name(text) and not _is_here(text)
    return purpose is Purpose.LOAD_MODEL and not looks_like_path(text)


def looks_like_path(name: object) -> bool:
    """Whether a model's name is a file or folder, not a hub name such as `owner/model` or an address."""
    if not isinstance(name, str) or not name or "://" in name:
        return False
    return name.startswith(("/", ".", "~")) or name.count("/") != 1 or _is_here(name)


def _is_here(name: str) -> bool:
    return any(exists(str(base / name)) for base in bases())


def bases() -> list[Path]:
    """Where a relative path may begin: the built-in trainer runs in the project, OneTrainer in its checkout."""
    return [base for base in (settings.BASE_DIR, settings.ONETRAINER_HOME) if base]
