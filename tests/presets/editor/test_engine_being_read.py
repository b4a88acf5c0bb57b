"""The API right after the start of a site, while OneTrainer's settings are still being read."""

from __future__ import annotations

import sys

import pytest

from engine import engines
from presets.config import configs
from presets.editor.drafts import get_draft
from presets.models import Draft
from presets.preflight import waiting
from tests.api import trainer
from tests.making import make_run, make_user
from tests.onetrainer.attempts import STANDIN
from training.models import Run
from web.error_pages import domain_error
from web.errors import NotReady
from worker.gpu_worker import GpuWorker

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


def test_a_queued_run_waits_until_they_are_read_and_then_gets_the_random_values_that_it_lacks(api, settings, tmp_path):
    """An older version of the site did not keep them."""
    settings.ALLOWED_ROOTS = [tmp_path]
    run = make_run(engine="onetrainer", config={"concepts": [{"path": str(tmp_path)}]})
    worker = GpuWorker("here:cpu", once=True)
    worker.heartbeat()
    assert worker.claim_next() is None
    engines.ONETRAINER.give_time(60)
    worker.claim_next().process.kill()
    run.refresh_from_db()
    assert run.config["concepts"][0].keys() == {"path", "seed"}


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("loading", "once its model is loaded"),
        ("sampling", "once the present samples"),
        ("training", ""),
        ("caching", ""),
    ],
)
def test_the_page_says_until_when_a_stop_waits_and_offers_to_end_at_once(api, client, phase, words):
    run = make_run(status=Run.Status.STOPPING, engine="onetrainer", phase=phase)
    client.force_login(make_user("operator", is_staff=True))
    page = client.get(run.get_absolute_url()).text
    assert words in page and "Stop at once" in page
    assert ("Stop it at once to end it now." in page) is bool(words)


@pytest.mark.parametrize("call", ["validate", "start"])
def test_a_start_and_a_check_wait_longer_than_a_thread_may_be_held(api, monkeypatch, call):
    monkeypatch.setattr(configs, "READING_SECONDS", 0)
    assert CALLS[call](api).status_code == 200


@pytest.mark.parametrize("call", CALLS)
def test_a_request_that_came_too_early_is_told_when_to_retry(api, monkeypatch, call):
    monkeypatch.setattr(configs, "READING_SECONDS", 0)
    monkeypatch.setattr(waiting, "READING_SECONDS", 0)
    answer = CALLS[call](api)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["detail"].endswith("try again in a moment.")


def test_a_page_that_came_too_early_loads_itself_again(api, monkeypatch, client):
    client.force_login(api.user)
    draft = get_draft(api.user)
    Draft.objects.filter(pk=draft.pk).update(engine="onetrainer")
    monkeypatch.setattr(configs, "READING_SECONDS", 0)
    early = client.get("/runs/new/")
    assert (early.status_code, early["Refresh"]) == (202, "5") and "being read" in early.text


@pytest.mark.parametrize(("method", "reloads"), [("get", True), ("post", False)])
def test_a_request_of_a_person_that_came_too_early_is_no_failure(api, rf, method, reloads):
    request = getattr(rf, method)("/")
    request.user = api.user
    answer = domain_error(request, NotReady("It is being read."))
    assert (answer.status_code, "Refresh" in answer) == (202, reloads)


def test_a_page_waits_until_the_settings_are_read(api, client):
    client.force_login(api.user)
    draft = get_draft(api.user)
    Draft.objects.filter(pk=draft.pk).update(engine="onetrainer")
    assert client.get("/runs/new/").status_code == 200
