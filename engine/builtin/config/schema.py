"""The built-in trainer's config as JSON Schema, generated from the dataclasses, and its defaults."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

from engine import schema as json_schema
from engine.builtin.config.facts import facts
from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.support import CHOICES, NO_EFFECT, NOT_DONE
from engine.builtin.config.train_config import TrainConfig
from engine.interface.json_types import JsonObject

# Their defaults follow the optimizer.
DEPENDENT = {name for own in OPTIMIZER_DEFAULTS.values() for name in own}


@functools.cache
def schema() -> JsonObject:
    """JSON Schema (draft 2020-12) of a config, made once; do not change it.

    Beside the keywords of `engine.schema`, a property has `x-supported` if the built-in trainer has only some of the
    choices, and `x-note` if it does not support the field or the field makes no difference.
    """
    built = json_schema.build(facts())
    for path, described in json_schema.walk(built):
        described.update(_notes(path))
    return built


def defaults() -> JsonObject:
    """A config with OneTrainer's defaults, to merge presets and changes into.

    Settings that differ between optimizers are left out, because they follow the optimizer that is chosen in the end.
    """
    return copy.deepcopy(_defaults())


@functools.cache
def _defaults() -> JsonObject:
    config = TrainConfig().to_dict()
    config["optimizer"] = {name: value for name, value in config["optimizer"].items() if name not in DEPENDENT}
    return config


def _notes(path: str) -> Iterator[tuple[str, Any]]:
    if path in CHOICES:
        yield "x-supported", [str(choice) for choice in CHOICES[path]]
    if path in NOT_DONE:
        yield "x-note", f"The built-in trainer does not {NOT_DONE[path]}."
    elif why := _no_effect(path):
        yield "x-note", f"No effect in the built-in trainer: {why}."


def _no_effect(path: str) -> str | None:
    """The reason for this field, or for a group that contains it."""
    parts = path.split(".")
    return next((why for n in range(len(parts), 0, -1) if (why := NO_EFFECT.get(".".join(parts[:n])))), None)
