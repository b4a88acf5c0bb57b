"""Nothing is trained in vain: a factor of the training at its void value is an error that names the field. No torch.

A training is a product of factors. A factor is a single field such as `lora_alpha`, which is void at 0, or a sum such
as the trained parts of the model, which is void if each of its terms is void. A term is a product again: a part of the
model with its switch and its learning rate, or a concept with its switch, its repeats and its weight.

`fields.toml` annotates a field with `void`, and the schema has it as `x-void`:
  at       the void value
  within   how close to it a number is void too, where that is not 1e-9
  sum      the sum that the field is in; its term is the object that holds the field, or the field itself at the top
  applies  conditions, beside those of the field itself; a path that begins with ./ is in the same object
  else     the field that counts while this one is empty
  why      what happens at the void value, where it is not that nothing is trained
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine import schema as json_schema
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject

MOST_NAMED = 3
WITHIN = 1e-9  # of the void value; float32 does not tell such a factor from it
IN_VAIN = "nothing would be trained"


@dataclass(frozen=True)
class Factor:
    """A field of a config that multiplies the whole training, or one term of it."""

    path: str
    value: Any
    at: Any
    why: str
    nullable: bool
    within: float

    @property
    def is_void(self) -> bool:
        if isinstance(self.at, bool | str) or not _is_number(self.value):
            return self.value == self.at and isinstance(self.value, bool) == isinstance(self.at, bool)
        return abs(self.value - self.at) <= self.within

    @property
    def is_switch(self) -> bool:
        """True for a field that turns its term off on purpose."""
        return isinstance(self.at, bool | str)

    def problem(self, result: str, others: str = "", severity: str = "error") -> Problem:
        shown = {True: "true", False: "false"}[self.value] if isinstance(self.value, bool) else f"{self.value}"
        number = f"{self.value:g}" if isinstance(self.value, float) else shown
        return Problem(self.path, f"is {number}, so {result}; {self._cure()}{others}", severity)

    def _cure(self) -> str:
        if self.is_switch:
            return "turn it on" if isinstance(self.at, bool) else "change it"
        return ("lower it" if self.at else "raise it") + (" or leave it empty" if self.nullable else "")


Term = list[Factor]


def check_factors(schema: JsonObject, config: JsonObject) -> Iterator[Problem]:
    """An error for each factor that makes the whole training void, and a warning for each term that is void in vain.

    `config` is whole; a field of a list's item that is missing has its default.
    """
    for terms in sums_of(schema, config).values():
        void = {owner: found for owner, term in terms.items() if (found := [one for one in term if one.is_void])}
        if len(void) == len(terms):
            yield _all_void(list(void.values()))
        else:
            yield from _void_terms(void)


def sums_of(schema: JsonObject, config: JsonObject) -> dict[str, dict[str, Term]]:
    """The factors by sum and term; a single field is a sum of one term."""
    sums: dict[str, dict[str, Term]] = {}
    for path, described, value, owner in json_schema.walk_values(schema, config):
        rule = described.get("x-void")
        if not rule or not _applies(described, rule, config, owner):
            continue
        factor = _factor(path, described, value, config)
        above = path.rpartition(".")[0]
        sums.setdefault(rule.get("sum", path), {}).setdefault(above or path, []).append(factor)
    return sums


def _applies(described: JsonObject, rule: JsonObject, config: JsonObject, owner: JsonObject) -> bool:
    own = {"x-applies": rule["applies"]}
    return json_schema.applies(described, config, owner) and json_schema.applies(own, config, owner)


def _factor(path: str, described: JsonObject, value: Any, config: JsonObject) -> Factor:
    rule = described["x-void"]
    if value is None and "else" in rule:
        path, value = rule["else"], json_schema.value_at(config, rule["else"])
    types = described.get("type", [])
    return Factor(
        path,
        value,
        rule["at"],
        rule.get("why", IN_VAIN),
        "null" in types and "else" not in rule,
        rule.get("within", WITHIN),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all_void(terms: list[Term]) -> Problem:
    """Blame the terms that are not turned off on purpose, or all if each is."""
    blamed = [term for term in terms if not any(one.is_switch for one in term)] or terms
    first, *others = dict.fromkeys(term[0] for term in blamed)
    named = [one.path for one in others[:MOST_NAMED]]
    return first.problem(first.why, f", or change {' or '.join(named)}" if named else "")


def _void_terms(terms: dict[str, Term]) -> Iterator[Problem]:
    """Warn of an object that trains nothing beside others that do, unless it is turned off on purpose."""
    for owner, term in terms.items():
        first = term[0]
        if owner != first.path and not any(one.is_switch for one in term):
            yield first.problem(f"{owner} is not trained", severity="warning")
