"""Optimizers that take one learning rate for all parts refuse two at their first step. No torch."""

from __future__ import annotations

from collections.abc import Iterator

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.schema import value_at
from engine.void import sums_of

# prodigyopt and dadaptation raise for two rates other than 0, since they estimate one step size for all weights.
ONE_RATE = ("PRODIGY", "DADAPT_ADA_GRAD", "DADAPT_ADAM", "DADAPT_ADAN", "DADAPT_LION", "DADAPT_SGD")


def check_rates(schema: JsonObject, config: JsonObject) -> Iterator[Problem]:
    """An error for the first trained part whose learning rate differs from that of the part before it."""
    optimizer = value_at(config, "optimizer.optimizer")
    if optimizer not in ONE_RATE:
        return
    living = [
        term for term in sums_of(schema, config).get("parts", {}).values() if not any(one.is_void for one in term)
    ]
    rates = [one for term in living for one in term if one.path.endswith("learning_rate")]
    for rate in rates[1:]:
        if rate.value != rates[0].value:
            text = (
                f"{optimizer} takes one rate for all parts, and {rates[0].path} is {rates[0].value:g}; set it to that"
            )
            yield Problem(rate.path, text)
            return
