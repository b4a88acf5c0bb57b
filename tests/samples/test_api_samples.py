"""Samples and workers as resources."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from zipfile import ZIP_STORED, ZipFile

import pytest
from django.utils.timezone import localtime, now

from samples.models import Sample
from system.models import Worker
from tests.api import content, trainer, viewer
from tests.making import make_run, make_user
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


def test_samples_are_filtered_by_steps_days_person_and_mark(api):
    run = make_run("One", owner=make_user("grace"))
    make_sample(run, "early", global_step=1, created_at=now() - timedelta(days=3))
    make_sample(run, "late", global_step=9, favourite=True)
    make_sample(make_run("Two"), "another")
    today = f"{localtime():%Y-%m-%d}"
    for query in ("step_from=5", f"since={today}&person=grace", "favourite=true", f"until={today}&step_from=2"):
        assert prompts(api.get(f"/api/samples/?{query}")) == ["late"], query
    assert prompts(api.get("/api/samples/?step_to=5&person=grace")) == ["early"]
    assert "step_from" in api.get("/api/samples/?step_from=x").json()["errors"]


def test_a_viewer_may_not_mark_or_delete(api):
    sample = make_sample(make_run())
    assert api.patch(f"/api/samples/{sample.pk}/", {"favourite": True}, format="json").status_code == 403
    assert api.delete(f"/api/samples/{sample.pk}/").status_code == 403


def test_a_favourite_is_marked_and_cannot_be_deleted(api):
    sample, client = make_sample(make_run()), trainer()
    address = f"/api/samples/{sample.pk}/"
    answer = client.patch(address, {"favourite": True}, format="json")
    assert answer.json()["metadata"]["favourite"] is True
    refused = client.delete(address)
    assert refused.status_code == 409 and "favourite" in refused.json()["detail"]
    assert client.patch(address, {"favourite": "perhaps"}, format="json").status_code == 400


def test_a_sample_is_deleted_with_its_file(api):
    run = make_run()
    sample = make_sample(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    sample.file.write_bytes(b"x")
    assert trainer().delete(f"/api/samples/{sample.pk}/").status_code == 204
    assert not sample.file.exists() and not Sample.objects.exists()


def test_a_file_that_the_site_did_not_write_is_not_deleted(api, tmp_path):
    theirs = tmp_path / "1.png"
    theirs.write_bytes(b"x")
    sample = make_sample(make_run(), path=str(theirs))
    assert trainer().delete(f"/api/samples/{sample.pk}/").status_code == 409
    assert theirs.exists()


def test_samples_come_as_one_zip_that_is_not_deflated(api):
    run = make_run("Red stars")
    run.folder.mkdir(parents=True, exist_ok=True)
    kept, other = make_sample(run, "a star", global_step=5), make_sample(run, "gone", path=str(run.folder / "gone.png"))
    kept.file.write_bytes(b"picture" * 1000)
    answer = api.get(f"/api/samples/zip?run={run.pk}")
    archive = ZipFile(io.BytesIO(content(answer)))
    assert archive.testzip() is None
    name = next(entry.filename for entry in archive.infolist() if "a_star-step0000005" in entry.filename)
    assert archive.getinfo(name).compress_type == ZIP_STORED and archive.read(name) == kept.file.read_bytes()
    listed = json.loads(archive.read("samples.json"))
    assert {one["id"]: one["file"] for one in listed} == {str(kept.pk): name, str(other.pk): None}
    only = ZipFile(io.BytesIO(content(api.get(f"/api/samples/zip?id={other.pk}"))))
    assert only.namelist() == ["samples.json"]
    assert api.get("/api/samples/zip?id=x").status_code == 400


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
