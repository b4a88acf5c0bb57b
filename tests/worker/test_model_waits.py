"""A queued run whose base model is not on this machine waits for its fetch, and starts when that is done."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace

import pytest
from django.conf import settings as site

from engine.engines import ENGINES
from presets.base_models import requests
from presets.base_models.fetching import do_fetch
from presets.models import ModelFetch
from system.models import Job
from tests.hub_server import hub_server
from tests.making import make_run, make_user, trainable_config
from training.models import Run
from training.progress.waiting import own_reason
from web.outgoing import Unreachable

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub(tmp_path, settings, monkeypatch):
    shutil.copytree(site.DEMO_DIR / "model", tmp_path / "hub" / "tiny" / "stars")
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setitem(ENGINES, "builtin", replace(ENGINES["builtin"], command=lambda folder: sleeper, package=""))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_server(tmp_path / "hub") as server:
        settings.HF_ENDPOINT, settings.FETCH_PRIVATE_HOSTS = server.url, ["127.0.0.1"]
        yield server


def queued(**fields) -> Run:
    return make_run(config=trainable_config(base_model_name="tiny/stars"), **fields)


def test_a_run_without_its_model_waits_for_a_fetch_and_starts_when_that_is_done(worker, hub):
    ada = make_user()
    run = queued(owner=ada)
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert own_reason(run) == "Its base model tiny/stars waits to be fetched."
    fetch = ModelFetch.objects.open().get()
    assert (fetch.source, fetch.user, fetch.host) == ("tiny/stars", ada, site.HOST_NAME)
    fetch.take("here")
    fetch.change(result={"bytes": 3_000_000, "total": 8_000_000, "phase": "fetching"})
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert own_reason(run) == "Its base model tiny/stars is being fetched: 37 % of 8 MB."
    do_fetch(fetch, lambda row: None)
    following = worker.claim_next()
    assert following is not None and following.run == run
    worker.following = following


def test_other_runs_start_before_it(worker):
    first, second = queued(), make_run(config=trainable_config(base_model_name=str(site.DEMO_DIR / "model")))
    worker.following = worker.claim_next()
    assert worker.following.run == second
    assert Run.objects.queued().get() == first


def test_a_failed_fetch_is_the_reason_until_a_user_continues_it(worker, hub):
    run = queued()
    hub.gated.add("tiny/stars")
    worker.claim_next()
    fetch = ModelFetch.objects.open().get()
    fetch.take("here")
    fetch.end(Job.Status.FAILED, "tiny/stars is gated: accept its terms.")
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert own_reason(run) == "Its base model tiny/stars is not on this machine. tiny/stars is gated: accept its terms."
    assert not ModelFetch.objects.open().exists()
    again = requests.continue_fetch(fetch, None)
    worker.claim_next()
    run.refresh_from_db()
    assert own_reason(run) == "Its base model tiny/stars waits to be fetched."
    assert ModelFetch.objects.open().get() == again


def test_a_hub_that_was_away_is_tried_again_after_some_minutes(worker, hub, settings, monkeypatch):
    monkeypatch.setattr("presets.base_models.download.PAUSES", (0.01,) * 5)
    queued()
    worker.claim_next()
    fetch = ModelFetch.objects.open().get()
    fetch.take("here")
    settings.HF_ENDPOINT = "http://127.0.0.1:9"
    with pytest.raises(Unreachable) as away:
        do_fetch(fetch, lambda row: None)
    fetch.end(Job.Status.FAILED, str(away.value))
    assert worker.claim_next() is None
    assert not ModelFetch.objects.open().exists()
    monkeypatch.setattr("worker.model_waits.RETRY", fetch.ended_at - fetch.ended_at)
    assert worker.claim_next() is None
    assert ModelFetch.objects.open().exists()


def test_a_run_that_must_not_download_starts_without_a_fetch(worker):
    run = make_run(config=trainable_config(base_model_name="tiny/stars", offline_mode=True))
    worker.following = worker.claim_next()
    assert worker.following.run == run
    assert not ModelFetch.objects.get_queryset().exists()
