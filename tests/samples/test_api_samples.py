"""Samples and workers as resources."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from samples.models import Sample
from system.models import Worker
from tests.api import viewer
from tests.making import make_run
from training.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    return viewer()


def make_sample(run, prompt="a star", **fields):
    facts = {"attempt": 1, "sequence": Sample.objects.count() + 1, "path": str(run.folder / "x.png")}
    return Sample.objects.create(run=run, prompt=prompt, **facts | fields)


def prompts(answer):
    assert answer.status_code == 200, answer.json()
    return [sample["metadata"]["prompt"] for sample in answer.json()["results"]]


def test_samples_are_listed_filtered_and_searched(api):
    run, other = make_run("One"), make_run("Two")
    make_sample(run, "a star", global_step=1), make_sample(run, "a moon", kind="custom"), make_sample(other, "a sun")
    assert prompts(api.get("/api/samples/")) == ["a sun", "a moon", "a star"]
    assert prompts(api.get(f"/api/samples/?run={run.pk}")) == ["a moon", "a star"]
    assert prompts(api.get("/api/samples/?kind=custom")) == ["a moon"]
    assert prompts(api.get("/api/samples/?search=sun")) == ["a sun"]
    assert prompts(api.get("/api/samples/?ordering=global_step&global_step=1")) == ["a star"]
    assert api.get("/api/samples/?run=nothing").status_code == 400


@pytest.mark.parametrize("slash", ["", "/"])
def test_samples_of_one_run(api, slash):
    run = make_run()
    make_sample(run), make_sample(make_run("Other"), "a sun")
    assert prompts(api.get(f"/api/runs/{run.pk}/samples{slash}")) == ["a star"]


def test_workers_are_listed_with_what_they_train(api):
    worker = Worker.objects.create(name="host:gpu0", host="host", gpu="0", device_name="H100", status="busy")
    Worker.objects.create(name="host:gpu1", host="host", heartbeat_at=now() - timedelta(minutes=1))
    run = make_run(status=Run.Status.RUNNING, worker=worker)
    make_run(status=Run.Status.FINISHED, worker=worker)
    found = api.get("/api/workers/").json()["results"]
    assert [(each["name"], each["is_alive"], each["run_id"]) for each in found] == [
        ("host:gpu0", True, str(run.pk)),
        ("host:gpu1", False, None),
    ]
    assert api.get(f"/api/workers/{worker.pk}/").json()["device_name"] == "H100"
    assert len(api.get("/api/workers/?status=busy").json()["results"]) == 1
    assert api.get("/api/workers/999999999999999999/").status_code == 404
