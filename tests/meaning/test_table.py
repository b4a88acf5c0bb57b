"""The table of docs/onetrainer.md has every field once, and says what the check says."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from engine.builtin.config.check import leaves
from engine.builtin.config.support import CHOICES, NO_EFFECT, NOT_DONE
from engine.builtin.config.train_config import TrainConfig

STATES = ("same", "differs", "here only", "OneTrainer only")
DOCUMENT = Path(__file__).parents[2] / "docs/onetrainer.md"
ONE_OF_EACH = {"concepts": [{}], "samples": [{}], "additional_embeddings": [{}]}
FIELDS = {leaf.pattern: leaf for leaf in leaves(TrainConfig.from_dict(ONE_OF_EACH))}


def read_rows():
    section = DOCUMENT.read_text().partition("## What each setting means")[2]
    for names, state, why in re.findall(r"^\| (`.*?`) \| (.*?) \| (.*?) ?\|$", section, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", names):
            yield name, state, why


ROWS = list(read_rows())


@cache
def row_of(field):
    """The row that names the field, or else the one with the longest pattern that fits; None if there is none."""
    exact = [row for row in ROWS if row[0] == field]
    fitting = [row for row in ROWS if fits(row[0], field)]
    return exact[0] if exact else max(fitting, key=lambda row: len(row[0]), default=None)


def fits(name, field):
    """True if * in the name stands for a part of the field, whose own * stands for a position in a list."""
    pattern = name.replace("concepts.*.", "concepts.[*].").replace("samples.*.", "samples.[*].")
    return fnmatchcase(field, pattern.replace("additional_embeddings.*", "additional_embeddings.[*].*"))


def test_every_field_has_a_row():
    assert [field for field in FIELDS if row_of(field) is None] == []


def test_no_name_is_in_two_rows_and_every_row_is_of_a_field():
    names = [name for name, _, _ in ROWS]
    assert len(names) == len(set(names))
    used = {row_of(field)[0] for field in FIELDS}
    groups = {"cloud.*", "secrets.*", "concepts", "samples", "additional_embeddings"}  # no leaves of their own
    assert set(names) - used <= groups


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_used_and_there_are_no_others(state):
    assert state in {given for _, given, _ in ROWS} <= set(STATES)


def test_what_differs_or_is_only_in_one_trainer_says_why():
    assert [name for name, state, why in ROWS if state != "same" and not why] == []


def test_refused_fields_are_onetrainers_alone_and_no_others_are():
    for field, leaf in FIELDS.items():
        refused = field in NOT_DONE or len(CHOICES.get(field, "several")) == 1
        unread = leaf.find_in(NO_EFFECT) is not None
        state = row_of(field)[1]
        if refused and leaf.pattern in NOT_DONE:
            assert state == "OneTrainer only", field
        if state == "OneTrainer only":
            assert refused or unread or is_of_another_choice(field), field


def is_of_another_choice(field):
    """True for settings of methods, optimizers and lists that the trainer does not have."""
    return field.startswith(
        ("optimizer.", "oft_", "lokr_", "lora_decompose_", "additional_embeddings.", "sample_", "frames")
    )
