"""Why an engine refuses a command, in the reader's language."""

from __future__ import annotations

import pytest
from django.utils.translation import gettext as real_gettext

from engine import engines
from engine.onetrainer import limits
from tests.making import make_run
from training.runs import refusals
from training.runs.refusals import SENTENCES, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def onetrainer(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "onetrainer", engines.ONETRAINER)


def test_every_sentence_of_the_engines_can_be_translated():
    assert set(SENTENCES) == {limits.PAUSED, limits.SEVERAL_GPUS}


def test_it_is_in_the_user_s_language(monkeypatch):
    german = {limits.PAUSED: "Der Lauf pausiert: setze ihn zuerst fort."}
    monkeypatch.setattr(refusals, "_", lambda text: german.get(text) or real_gettext(text))
    run = make_run(status="paused", engine="onetrainer")
    assert refusal(run, "backup") == "Der Lauf pausiert: setze ihn zuerst fort."
    assert refusal(run, "continue") == ""


def test_a_command_that_an_engine_never_supports_is_refused_with_its_name():
    run = make_run(status="running", engine="onetrainer")
    assert refusal(run, "fly") == "The engine OneTrainer does not support this command."
