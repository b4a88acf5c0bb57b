"""Pages and scripts write the same texts: both are tested with the cases in `tests/cases`.

`tests/js` has the other half.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from training.logs.tail import fold
from training.models import RunProgress
from web.templatetags import formats

CASES = Path(__file__).parent.parent / "cases"
NUMBERS = json.loads((CASES / "numbers.json").read_text())
WRITERS = {"loss": formats.loss, "speed": formats.speed, "duration": formats.duration, "percent": formats.percent}


@pytest.mark.parametrize(
    ("kind", "value", "written"), [(kind, *case) for kind, cases in NUMBERS.items() for case in cases]
)
def test_pages_and_scripts_write_numbers_alike(kind, value, written):
    assert WRITERS[kind](value) == written


@pytest.mark.parametrize(
    ("progress", "length", "epochs", "steps"), json.loads((CASES / "steps_in_all.json").read_text())
)
def test_pages_and_scripts_count_the_steps_of_a_run_alike(progress, length, epochs, steps):
    assert RunProgress(**progress, max_step=length, max_epoch=epochs).total_steps == steps


@pytest.mark.parametrize(("log", "folded"), json.loads((CASES / "folded_logs.json").read_text()))
def test_pages_and_scripts_fold_logs_alike(log, folded):
    assert fold(log) == folded


def test_pages_and_scripts_write_a_loss_that_is_not_a_number_alike():
    assert [formats.loss(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "Infinity", "-Infinity"]
