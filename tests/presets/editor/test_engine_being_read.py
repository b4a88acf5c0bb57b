"""The API right after the start of a site, while OneTrainer's settings are still being read."""

from __future__ import annotations

import sys

import pytest

from engine import engines
from presets.config import configs
from tests.api import trainer
from tests.onetrainer.attempts import STANDIN

pytestmark = pytest.mark.django_db
CALLS = {
    "schema": lambda api: api.get("/api/config/schema?engine=onetrainer"),
    "defaults": lambda api: api.get("/api/config/defaults?engine=onetrainer"),
    "validate": lambda api: api.post("/api/config/validate?engine=onetrainer", {}),
    "start": lambda api: api.post("/api/training/start", {"config_dict": {}, "engine": "onetrainer"}),
}


@pytest.fixture
def api(tmp_path, monkeypatch):
    """A site that has never read OneTrainer's settings."""
    monkeypatch.setitem(engines.ENGINES, "onetrainer", engines.ONETRAINER)
    monkeypatch.setenv("ONETRAINER_HOME", str(STANDIN))
    monkeypatch.setenv("ONETRAINER_PYTHON", sys.executable)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return trainer()


@pytest.mark.parametrize("call", CALLS)
def test_a_script_waits_until_the_settings_are_read(api, call):
    answer = CALLS[call](api)
    assert answer.status_code == 200
    assert "being read" not in answer.content.decode()


@pytest.mark.parametrize("call", CALLS)
def test_a_request_that_came_too_early_is_told_when_to_retry(api, monkeypatch, call):
    monkeypatch.setattr(configs, "READING_SECONDS", 0)
    answer = CALLS[call](api)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["detail"].endswith("try again in a moment.")
