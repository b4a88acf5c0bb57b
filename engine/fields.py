"""The descriptions in `fields.toml`: titles, help, places, and when a field applies. No torch."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.json_types import Json, JsonObject

FILE = Path(__file__).with_name("fields.toml")
LAST = 10_000  # the order of a field that is not in the file
WORDS = {word: word.upper() for word in ("cfg", "ema", "gpu", "lr", "mae", "mse", "oft", "svd", "vae", "vb", "snr")} | {
    "dtype": "data type",
    "eps": "epsilon",
    "lokr": "LoKr",
    "lora": "LoRA",
    "unet": "UNet",
}
Conditions = dict[str, Sequence[Json]]


@dataclass(frozen=True)
class FieldDescription:
    """A field as fields.toml describes it; `applies` maps dotted paths to the values that they must have.

    `void` is empty unless the field is a factor of the training: see `engine.void`. `path` is what a text that names a
    file, a folder or a class is for; empty for all other texts.
    """

    title: str
    help: str = ""
    unit: str = ""
    kind: str = ""
    tab: str = ""
    section: str = ""
    order: int = LAST
    advanced: bool = False
    applies: Conditions = field(default_factory=dict)
    void: JsonObject = field(default_factory=dict)
    path: str = ""


def describe(owner: str, name: str) -> FieldDescription:
    """A field of the config (`owner` is TrainConfig) or of one of its objects; an unknown one gets a readable name."""
    known = _by_owner().get(owner, {}).get(name)
    return known or FieldDescription(
        title=readable(name), help=f"{readable(name)}; this site has no description of it yet."
    )


def is_known(owner: str, name: str) -> bool:
    """Whether the file describes this field; a newer engine may have others."""
    return name in _by_owner().get(owner, {})


def own_conditions(path: str) -> Conditions:
    """The conditions of the one field at this path, beside the conditions of all fields of its kind."""
    return _conditions(_file()["paths"].get(path, {}).get("applies", {}))


def own_void(path: str) -> JsonObject | None:
    """What is void for the one field at this path, in place of that for all fields of its kind; None if it is equal."""
    own = _file()["paths"].get(path, {}).get("void")
    return None if own is None else _void(own)


def tabs() -> list[dict[str, str]]:
    """The tabs of an editor in their order, each with id, title and help."""
    return [dict(tab) for tab in _file()["tabs"]]


def label(choice: str) -> str:
    """The title of an enum's choice."""
    return _file()["labels"].get(choice) or readable(choice)


def readable(name: str) -> str:
    """A name as words: `lora_weight_dtype` is "LoRA weight data type"."""
    words = " ".join(WORDS.get(word.lower(), word.lower()) for word in name.split("_") if word)
    return words[:1].upper() + words[1:]


@functools.cache
def _file() -> JsonObject:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@functools.cache
def _by_owner() -> dict[str, dict[str, FieldDescription]]:
    found: dict[str, dict[str, FieldDescription]] = {}
    for order, (section, name, facts) in enumerate(_entries()):
        owner = section.get("class", "TrainConfig")
        found.setdefault(owner, {})[name] = FieldDescription(
            title=facts["title"],
            help=facts["help"],
            unit=facts.get("unit", ""),
            kind=facts.get("kind", ""),
            tab=facts.get("tab") or section.get("tab") or "",
            section=section["title"],
            order=order,
            advanced=facts.get("advanced", False),
            applies=_conditions(facts.get("applies", {})),
            void=_void(facts.get("void", {})),
            path=facts.get("path", ""),
        )
    return found


def _entries() -> Iterator[tuple[JsonObject, str, JsonObject]]:
    for section in _file()["sections"]:
        for name, facts in section["fields"].items():
            yield section, name, facts


def _void(written: JsonObject) -> JsonObject:
    """The file's `void` with its value in a list and its conditions complete."""
    if not written:
        return {}
    return {**written, "at": written["at"], "applies": _conditions(written.get("applies", {}))}


def _conditions(written: JsonObject) -> Conditions:
    """The file's conditions with the names of groups replaced by their values."""
    return {path: _values(values) for path, values in written.items()}


def _values(values: str | Sequence[Json]) -> list[Json]:
    if isinstance(values, str):
        return list(_file()["groups"][values.removeprefix("@")])
    return [None if value == "null" else value for value in values]
