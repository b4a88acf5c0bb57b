"""The OneTrainer engine's config as JSON Schema, its defaults and its check. No torch, nothing of OneTrainer itself."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path

from engine import schema as json_schema
from engine.builtin.config import facts as builtin
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.onetrainer import whole
from engine.onetrainer.checks import rules
from engine.onetrainer.facts import Checkout, Facts, Unavailable
from engine.rates import check_rates
from engine.schema_check import check_against
from engine.texts import check_texts
from engine.void import check_factors

OPTIMIZER = "TrainOptimizerConfig"
RANGES = (*json_schema.BOUNDS, "infinite")
Config = JsonObject


@functools.lru_cache(maxsize=4)
def _checkout(home: str, python: str, data: str) -> Checkout:
    return Checkout(Path(home), Path(python), Path(data) / "onetrainer")


def checkout() -> Checkout:
    """The configured checkout; `ONETRAINER_HOME` must be set."""
    home = os.environ["ONETRAINER_HOME"]
    python = os.environ.get("ONETRAINER_PYTHON") or str(Path(home) / "venv/bin/python")
    return _checkout(home, python, os.environ.get("DATA_DIR") or "data")


def facts(wait: float = 0) -> Facts:
    """OneTrainer's own facts about its config; raises Unavailable."""
    return checkout().facts(wait)


def facts_if_known(wait: float) -> Facts | None:
    """The facts, or None where no checkout is configured, or it cannot be read."""
    if not os.environ.get("ONETRAINER_HOME"):
        return None
    try:
        return facts(wait)
    except Unavailable:
        return None


def schema() -> json_schema.Schema:
    """JSON Schema (draft 2020-12), made once for each version of the checkout; do not change it. Raises Unavailable."""
    return _built(checkout()).schema


def defaults() -> Config:
    """OneTrainer's own defaults, without those that follow the chosen optimizer. Raises Unavailable."""
    return copy.deepcopy(_built(checkout()).defaults)


def check(config: Config) -> list[Problem]:
    """Types, choices, ranges, unknown keys, what trains nothing, and what this version cannot train.

    Raises Unavailable.
    """
    known = _built(checkout())
    form, void = check_against(known.schema, config), check_factors(known.schema, config)
    one_rate = check_rates(known.schema, config)
    texts = check_texts(known.schema, config)
    return [*form, *void, *one_rate, *texts, *rules.problems(config, known.facts)]


def complete(config: Config) -> Config:
    """The config of a new run with all that OneTrainer would fill in or make at random. Raises Unavailable."""
    return whole.completed(config, facts())


def keep_random(config: Config, backup: str) -> Config:
    """The config with the random values that it lacks, from the backup that it resumes from. Raises Unavailable."""
    return whole.with_random_values(config, facts(), Path(backup) if backup else None)


def compact(config: Config) -> Config:
    """The config without what `complete` would fill in again. Raises Unavailable."""
    return whole.compact(config, facts())


class _Built:
    def __init__(self, facts: Facts):
        self.facts = facts
        self.schema = json_schema.build(with_ranges(facts))
        self.defaults = _defaults(facts)


_last: dict[Checkout, _Built] = {}


def _built(of: Checkout) -> _Built:
    facts = of.facts()
    known = _last.get(of)
    if known is None or known.facts is not facts:
        known = _last[of] = _Built(facts)
    return known


def with_ranges(facts: Facts) -> Facts:
    """The facts with the ranges that the built-in trainer knows for the same fields; OneTrainer has no ranges."""
    known = builtin.facts()["classes"]
    classes = {
        owner: {**kind, "fields": {name: fact | _range(known, owner, name) for name, fact in kind["fields"].items()}}
        for owner, kind in facts["classes"].items()
    }
    return {**facts, "classes": classes}


def _range(known: JsonObject, owner: str, name: str) -> JsonObject:
    fact = known.get(owner, {}).get("fields", {}).get(name, {})
    return {key: fact[key] for key in RANGES if fact.get(key) is not None}


def _defaults(facts: Facts) -> Config:
    config = copy.deepcopy(facts["defaults"])
    dependent = {name for own in facts["optimizer_parameters"].values() for name in own}
    config["optimizer"] = {name: value for name, value in config["optimizer"].items() if name not in dependent}
    return config
