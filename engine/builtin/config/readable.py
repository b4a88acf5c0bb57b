"""Reading a config of which some values have the wrong type, so that a wrong value hides no other."""

from __future__ import annotations

import copy
from typing import Any

from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject


def read_what_is_right(config: JsonObject) -> tuple[TrainConfig, list[Problem]]:
    """The config of all values of the right type, and a problem for each other value."""
    try:
        return TrainConfig.from_dict(config), []
    except BadConfig as error:
        problems = error.problems
    try:
        return TrainConfig.from_dict(_without(config, [problem.field for problem in problems])), problems
    except BadConfig:  # a name with a dot in it cannot be found again by its path
        return TrainConfig(), problems


def _without(config: Any, fields: list[str]) -> JsonObject:
    """A copy without the values at these dotted paths; an item of a list becomes an empty object, to keep the others'
    places."""
    rest = copy.deepcopy(config) if isinstance(config, dict) else {}
    for field in fields:
        _remove(rest, field.split("."))
    return rest


def _remove(owner: Any, parts: list[str]) -> None:
    first, *others = parts
    key: Any = int(first) if isinstance(owner, list) and first.isdecimal() else first
    try:
        if others:
            _remove(owner[key], others)
        elif isinstance(owner, list):
            owner[key] = {}
        else:
            owner.pop(key, None)
    except (KeyError, IndexError, TypeError):
        return  # the value above it was wrong too, and is gone already
