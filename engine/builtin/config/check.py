"""The check of a config before the built-in trainer uses it. No torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine import schema as json_schema
from engine.builtin.config.effects import why_without_effect
from engine.builtin.config.lists import load_concepts, load_samples
from engine.builtin.config.model_types import text_encoders
from engine.builtin.config.readable import read_what_is_right
from engine.builtin.config.schema import schema
from engine.builtin.config.settings import Settings, to_json
from engine.builtin.config.support import CHOICES, NO_EFFECT, NOT_DONE, NOWHERE
from engine.builtin.config.support_rules import check_rules
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject
from engine.rates import check_rates
from engine.schema_check import out_of_range
from engine.texts import check_texts
from engine.void import check_factors


@dataclass(frozen=True)
class Leaf:
    """One value of a config, with its dotted path, its default and its range."""

    path: str
    value: Any
    default: Any
    limits: Mapping[str, Any]

    @property
    def pattern(self) -> str:
        """The path with * for positions in lists."""
        return re.sub(r"\.\d+(?=\.)", ".*", self.path)

    @property
    def item(self) -> str:
        """The path of the list's item that holds it; empty if there is none."""
        return (re.match(r"\w+\.\d+(?=\.)", self.path) or [""])[0]

    @property
    def changed(self) -> bool:
        return self.value != self.default

    def find_in(self, table: dict[str, str]) -> str | None:
        """The table's entry for this setting, or for a group that contains it."""
        parts = self.pattern.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((table[name] for name in names if name in table), None)


def check(config: JsonObject) -> list[Problem]:
    """The problems of a config, by field; a warning does not prevent a run from starting.

    Pictures and models are not checked here: `concepts.check_data` and the trainer do that.
    """
    parsed, problems = read_what_is_right(config)
    if problems:  # the rules need a whole config; a range is wrong beside a wrong type too
        return [*problems, *(problem for problem in check_values(parsed) if problem.is_error)]
    try:
        parsed.concepts, parsed.samples = load_concepts(parsed), load_samples(parsed)
    except BadConfig as error:
        return [*error.problems, *check_values(parsed)]
    whole = parsed.to_dict()
    found = [problem for leaf in leaves(parsed) for problem in _check_leaf(leaf, whole)]
    found += [*check_factors(schema(), whole), *check_rates(schema(), whole)]
    found += check_texts(schema(), whole)
    return [*found, *check_rules(parsed), *_check_unknown(parsed)]


def check_values(config: TrainConfig) -> Iterator[Problem]:
    """The problems that matter to every engine: numbers out of their range, and unknown names."""
    yield from check_ranges(config)
    yield from _check_scheduler(config)
    yield from _check_unknown(config)


def check_ranges(settings: Settings) -> Iterator[Problem]:
    """The numbers out of their range, such as a sample's size, steps and seed."""
    for leaf in leaves(settings):
        yield from _check_range(leaf)


def _check_scheduler(config: TrainConfig) -> Iterator[Problem]:
    for index, pair in enumerate(config.scheduler_params or []):
        if not {"key", "value"} <= pair.keys():
            yield Problem(f"scheduler_params.{index}", 'must look like {"key": "step_size", "value": "100"}')


def leaves(settings: Settings, prefix: str = "") -> Iterator[Leaf]:
    """Every value in a config, also in its lists."""
    for name in settings.hints():
        value, path = getattr(settings, name), prefix + name
        if isinstance(value, Settings):
            yield from leaves(value, f"{path}.")
        elif isinstance(value, list) and value and isinstance(value[0], Settings):
            for index, item in enumerate(value):
                if not getattr(item, "enabled", True):
                    continue  # a disabled concept or sample may hold any values
                yield from leaves(item, f"{path}.{index}.")
        else:
            yield Leaf(path, value, settings.own_default(name), settings.metadata_of(name))


def _check_unknown(config: TrainConfig) -> Iterator[Problem]:
    """Report unknown keys; OneTrainer too ignores the `weight_dtype` at the top of many of its presets."""
    for path in config.walk_unknown():
        if path != "weight_dtype":
            yield Problem(path, "is not a known setting; it is kept but has no effect", "warning")


def _check_leaf(leaf: Leaf, config: JsonObject) -> Iterator[Problem]:
    yield from _check_range(leaf)
    if leaf.path.startswith("text_encoder_2") and "text_encoder_2" not in text_encoders(config["model_type"]):
        if leaf.changed:
            yield Problem(leaf.path, "has no effect: this type of model has one text encoder", "warning")
        return
    choices = CHOICES.get(leaf.pattern)
    if choices and leaf.value not in choices:
        if why := NOWHERE.get(leaf.value):
            yield Problem(leaf.path, why)
            return
        cure = "choose it" if len(choices) == 1 else "choose one of them"
        yield Problem(leaf.path, f"the built-in trainer supports {_listed(choices)}; {_otherwise(cure)}")
    if not leaf.changed:
        return
    if what := NOT_DONE.get(leaf.pattern):
        yield Problem(leaf.path, f"the built-in trainer does not {what}; {_otherwise(_cure(leaf.default))}")
    elif why := leaf.find_in(NO_EFFECT):
        yield Problem(leaf.path, f"has no effect in the built-in trainer: {why}", "warning")
    elif why := _why_it_does_not_matter(leaf, config):
        yield Problem(leaf.path, f"has no effect {why}", "warning")


def _why_it_does_not_matter(leaf: Leaf, config: JsonObject) -> str:
    """The condition that does not hold, such as `while ema is OFF`; empty if the setting matters."""
    described = json_schema.leaf(schema(), leaf.path) or {}
    return why_without_effect(leaf.pattern, described, config, leaf.item)


def _check_range(leaf: Leaf) -> Iterator[Problem]:
    if not isinstance(leaf.value, int | float) or isinstance(leaf.value, bool):
        return
    if math.isinf(leaf.value) and not leaf.limits["infinite"]:
        yield Problem(leaf.path, "must be finite")
    elif message := out_of_range(leaf.limits, leaf.value):
        yield Problem(leaf.path, message)


def _listed(choices: tuple[str, ...]) -> str:
    """The choices as a list in words: `A`, `A and B`, `A, B and C`."""
    *most, last = (str(choice) for choice in choices)
    return f"{', '.join(most)} and {last}" if most else f"only {last}"


def _cure(default: object) -> str:
    shown = to_json(default)
    if shown in ("", None) or shown == []:
        return "leave it empty"
    return f"set it to {json.dumps(shown) if isinstance(shown, bool) else shown}"


def _otherwise(cure: str) -> str:
    return f"{cure}, or choose the OneTrainer engine"
