"""Whole configs: all that OneTrainer itself fills in at each start, or makes at random, is part of a run's config.

OneTrainer makes an embedding's `uuid` and a concept's `seed` anew wherever a config lacks them. With another uuid a
resume does not find the embedding in its backup and starts it again; with another seed it crops other pictures.
"""

from __future__ import annotations

import copy
import json
import random
import uuid
from pathlib import Path
from typing import Any

from engine.interface.json_types import JsonObject
from engine.onetrainer.checks.rules import FORMAT, usual_format
from engine.onetrainer.export import NO_UUID
from engine.onetrainer.facts import Facts

VERSION = "__version"
LARGEST_SEED = 1 << 30  # OneTrainer's own range
FILES = {"concepts": "concepts.json", "samples": "samples.json"}  # in a backup, beside its config
IDENTITY = ("path", "placeholder", "prompt")  # an item of a backup stands for the item with the same


def completed(config: JsonObject, facts: Facts) -> JsonObject:
    """The config of a new run with each field of each item and of its optimizer; random values are made here."""
    whole = _Filling(facts, config, fills_all=True).root(config, {})
    usual = usual_format(config, facts)
    return whole | {FORMAT: usual} if usual else whole


def with_random_values(config: JsonObject, facts: Facts, backup: Path | None) -> JsonObject:
    """The config with the random values that it lacks: those of the backup that it resumes from, else new ones.

    Configs from before this was kept lack them, and may be of an older version, so nothing else is filled in.
    """
    return _Filling(facts, config, fills_all=False).root(config, args_of(backup) if backup else {})


def compact(config: JsonObject, facts: Facts) -> JsonObject:
    """The config without the values of items and optimizer that equal their defaults, to compare, copy or change it."""
    return _Compacting(facts, config).root(config)


def args_of(backup: Path) -> JsonObject:
    """The config in a backup, with its lists; empty where it cannot be read."""
    folder = backup / "onetrainer_config"
    found = _read(folder / "args.json", dict)
    lists = {field: _read(folder / name, list) for field, name in FILES.items()}
    return {**found, **{field: items for field, items in lists.items() if items}}


def _read(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):  # an older or a foreign backup: whether it is whole is another check's question
        return kind()
    return content if isinstance(content, kind) else kind()


class _Fields:
    """The fields of the config's classes, with the defaults that depend on the model and on the optimizer."""

    def __init__(self, facts: Facts, config: JsonObject) -> None:
        self._classes, self._root = facts["classes"], facts["root"]
        optimizer = config.get("optimizer")
        name = optimizer.get("optimizer") if isinstance(optimizer, dict) else None
        self.optimizer, sample = (self.inner(self.fields(self._root)[field])[0] for field in ("optimizer", "samples"))
        self._defaults = {
            self.optimizer: facts["optimizer_parameters"].get(name, {}) if isinstance(name, str) else {},
            sample: facts["sample_defaults"].get(str(config.get("model_type")), {}),
        }

    def fields(self, kind: str) -> JsonObject:
        return self._classes[kind]["fields"]

    def default(self, kind: str, name: str) -> Any:
        return copy.deepcopy(self._defaults.get(kind, {}).get(name, self.fields(kind)[name]["default"]))

    def inner(self, fact: JsonObject) -> tuple[str, bool]:
        """(the class of its objects, whether it is a list of them); an empty name for plain values."""
        name = str(fact["type"])
        is_list = name.startswith("list[")
        name = name.removeprefix("list[").removesuffix("]") if is_list else name
        return (name, is_list) if name in self._classes else ("", False)


class _Filling(_Fields):
    def __init__(self, facts: Facts, config: JsonObject, fills_all: bool) -> None:
        super().__init__(facts, config)
        self._fills_all = fills_all

    def root(self, config: JsonObject, earlier: JsonObject) -> JsonObject:
        return self._object(self._root, config, earlier, fills=False)

    def _object(self, kind: str, given: JsonObject, earlier: JsonObject, fills: bool) -> JsonObject:
        """`fills` is False for objects that are whole already, since the engine's defaults are below the config."""
        whole = dict(given)
        for name, fact in self.fields(kind).items():
            inner, is_list = self.inner(fact)
            value, before = given.get(name), earlier.get(name)
            if is_list and isinstance(value, list):
                whole[name] = [self._item(inner, item, _same(item, index, before)) for index, item in enumerate(value)]
            elif inner and isinstance(value, dict):
                below = before if isinstance(before, dict) else {}
                whole[name] = self._object(inner, value, below, fills or (self._fills_all and inner == self.optimizer))
            elif fact.get("random"):
                whole[name] = self._random(fact["random"], value, before)
            elif fills and name not in given:
                whole[name] = self._object(inner, {}, {}, True) if inner else self.default(kind, name)
        return whole

    def _item(self, kind: str, item: Any, earlier: JsonObject) -> Any:
        if not isinstance(item, dict):
            return item
        whole = self._object(kind, item, earlier, self._fills_all)
        return {VERSION: self._classes[kind]["version"], **whole} if self._fills_all else whole

    @staticmethod
    def _random(kind: str, value: Any, earlier: Any) -> Any:
        """All zeros stand for no uuid, unless a backup was written with them."""
        if value is not None and value != NO_UUID:
            return value
        if earlier is not None:
            return earlier
        return str(uuid.uuid4()) if kind == "uuid" else random.randrange(LARGEST_SEED)


def _same(item: Any, index: int, before: Any) -> JsonObject:
    """The item at the same place of the backup's list, if it has the same path, placeholder or prompt."""
    found = before[index] if isinstance(before, list) and index < len(before) else None
    if not isinstance(found, dict) or not isinstance(item, dict):
        return {}
    return found if all(item[name] == found[name] for name in IDENTITY if name in item and name in found) else {}


class _Compacting(_Fields):
    def root(self, config: JsonObject) -> JsonObject:
        compacted = dict(config)
        for name, fact in self.fields(self._root).items():
            inner, is_list = self.inner(fact)
            value = config.get(name)
            if is_list and isinstance(value, list):
                compacted[name] = [self._object(inner, item) if isinstance(item, dict) else item for item in value]
            elif inner == self.optimizer and isinstance(value, dict):
                compacted[name] = self._object(inner, value)
        return compacted

    def _object(self, kind: str, given: JsonObject) -> JsonObject:
        left: JsonObject = {}
        for name, value in given.items():
            fact = self.fields(kind).get(name)
            inner = self.inner(fact)[0] if fact else ""
            if inner and isinstance(value, dict):
                left |= {name: below} if (below := self._object(inner, value)) else {}
            elif fact is None:
                left |= {name: value} if name != VERSION else {}
            elif fact.get("random") or value != self.default(kind, name) or name == "optimizer":
                left[name] = value
        return left
