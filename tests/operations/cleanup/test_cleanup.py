"""The clean-up: what takes the room, exactly what would go, and that no more than that goes."""

import os
import shutil
import time
import uuid
from pathlib import Path

import pytest
from django.conf import settings

from engine.interface.files import size_of
from operations.cleanup.ask import ask_for_inventory
from operations.cleanup.inventory import take_inventory
from operations.job_work import do
from samples.models import Sample
from system.models import Job
from tests.api import trainer
from tests.making import make_run, make_user
from tests.training.files import make_backup, make_file, make_sample
from training.models import RetentionPolicy, Run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return settings.DATA_DIR


@pytest.fixture
def ada():
    return make_user("admin", is_staff=True)


@pytest.fixture
def run(ada):
    return make_run(status=Run.Status.FINISHED, owner=ada)


@pytest.fixture
def page(client, ada):
    client.force_login(ada)
    return client


def write(path, size=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def work_off():
    """What a worker does."""
    while job := Job.objects.filter(status=Job.Status.WAITING).first():
        job.take("gpu0")
        do(job)
        job.refresh_from_db()
        assert job.status == Job.Status.DONE, job.detail


def preview(page, **choice):
    return page.get("/system/cleanup/", {"preview": "1", **choice}).context


def clean_up(page, **choice):
    shown = preview(page, **choice)
    page.post("/system/cleanup/remove/", {"token": str(shown["token"])})
    work_off()
    return Job.objects.filter(kind=Job.Kind.CLEANUP, status=Job.Status.DONE).first()


def test_everything_is_counted_by_kind_by_run_and_by_folder(run, data):
    make_backup(run, 1)
    make_sample(run, 1)
    write(run.folder / "workspace/cache/image/1.pt", 500)
    write(run.folder / "attempts/1/engine.log", 300)
    write(data / "models/base.safetensors", 700)
    (run.folder / "link").symlink_to("/usr")
    found = take_inventory()
    assert found["kinds"]["caches"] == 500 and found["kinds"]["logs"] == 300 and found["folders"]["models"] == 700
    (counted,) = found["runs"]
    assert (counted["id"], counted["name"]) == (str(run.pk), run.name)
    assert found["folders"]["runs"] == counted["bytes"] < 10_000


def test_the_page_requests_the_count_from_a_worker(page, run):
    assert "A worker is counting" in page.get("/system/cleanup/").content.decode()
    work_off()
    make_backup(run, 1)
    page.post("/system/cleanup/count/")
    work_off()
    assert run.name in page.get("/system/cleanup/").content.decode()
    assert Job.objects.filter(kind=Job.Kind.MEASURE).count() <= 2


def test_it_shows_exactly_which_files_it_would_delete_and_then_deletes_only_those(page, run):
    backups = [make_backup(run, step) for step in (1, 2, 3)]
    shown = preview(page, kinds="backups", keep=1)
    assert [item.label for item in shown["going"]] == ["backup at step 1", "backup at step 2"]
    assert shown["plan"].bytes == backups[0].size + backups[1].size
    assert shown["staying"] == [("It is the newest.", 1, backups[2].size)]
    assert all(backup.exists for backup in backups), "showing removes nothing"
    job = clean_up(page, kinds="backups", keep=1)
    assert (job.result["removed"], job.result["bytes"]) == (2, shown["plan"].bytes)
    assert [Path(backup.path).exists() for backup in backups] == [False, False, True]


def test_without_a_number_each_runs_policy_counts(page, run):
    make_backup(run, 1), make_backup(run, 2)
    assert preview(page, kinds="backups")["going"] == []
    policy = RetentionPolicy.of_site()
    policy.keep_backups = 1
    policy.save()
    assert len(preview(page, kinds="backups")["going"]) == 1


def test_pinned_favourite_and_new_files_are_kept_and_reported(page, run):
    first, _, third = [make_backup(run, step) for step in (1, 2, 3)]
    samples = [make_sample(run, step) for step in (1, 2, 3)]
    shown = preview(page, kinds=["backups", "samples"], keep=1)
    run.artifacts.filter(pk=first.pk).update(pinned=True)
    Sample.objects.filter(pk=samples[0].pk).update(favourite=True)
    make_backup(run, 4)
    page.post("/system/cleanup/remove/", {"token": str(shown["token"])})
    work_off()
    job = Job.objects.filter(kind=Job.Kind.CLEANUP).get(status="done")
    assert {item["why"] for item in job.result["left"]} == {
        "It is pinned: unpin it first.",
        "1 of them became favourites or are deleted already.",
    }
    assert first.exists and third.exists and samples[0].file.exists() and not samples[1].file.exists()


def test_caches_logs_leftovers_and_orphans_go_but_no_record(page, run, data):
    caches = [write(run.folder / "workspace/cache/image/1.pt"), write(data / "cache/ab/1.safetensors")]
    thumbnail = write(data / "cache/thumbnails/1.webp")
    log, journal = write(run.folder / "attempts/1/engine.log"), write(run.folder / "attempts/1/journal.jsonl")
    leftover = write(run.folder / "workspace/backup/x.partial/deep/weights").parent.parent
    orphan = data / "runs" / str(uuid.uuid4())
    write(orphan / "file")
    os.utime(orphan, (time.time() - 7200,) * 2)
    ask_for_inventory()
    work_off()
    job = clean_up(page, kinds=["caches", "logs", "leftovers", "orphans"])
    assert (job.result["removed"], job.result["bytes"], job.result["left"]) == (6, 6000, [])
    assert not any(path.exists() for path in [*caches, thumbnail, log, leftover, orphan])
    assert journal.exists()


def test_a_run_that_trains_keeps_its_cache_and_the_shared_one(page, run, data):
    write(run.folder / "workspace/cache/image/1.pt"), write(data / "cache/ab/1.safetensors")
    ask_for_inventory()
    work_off()
    Run.objects.update(status=Run.Status.RUNNING)
    shown = preview(page, kinds="caches")
    assert shown["going"] == []
    assert {why for why, *_ in shown["staying"]} == {"The run has not ended.", "Active or waiting runs may use it."}


def test_a_cache_that_has_grown_since_is_left(page, run):
    write(run.folder / "workspace/cache/image/1.pt")
    ask_for_inventory()
    work_off()
    shown = preview(page, kinds="caches")
    write(run.folder / "workspace/cache/image/2.pt")
    page.post("/system/cleanup/remove/", {"token": str(shown["token"])})
    work_off()
    job = Job.objects.get(kind=Job.Kind.CLEANUP)
    assert [item["why"] for item in job.result["left"]] == ["It has changed since the preview."]


def test_nothing_goes_through_a_link(page, run, tmp_path):
    write(run.folder / "workspace/cache/image/1.pt")
    ask_for_inventory()
    work_off()
    shown = preview(page, kinds="caches")
    shutil.move(run.folder / "workspace", tmp_path / "elsewhere")
    (run.folder / "workspace").symlink_to(tmp_path / "elsewhere")
    page.post("/system/cleanup/remove/", {"token": str(shown["token"])})
    work_off()
    assert "A link leads out" in Job.objects.get(kind=Job.Kind.CLEANUP).result["left"][0]["why"]
    assert size_of(tmp_path / "elsewhere") == 1000


def test_a_confirmation_counts_once_and_only_for_the_user_who_saw_the_list(page, run, client):
    make_backup(run, 1), make_backup(run, 2)
    token = str(preview(page, kinds="backups", keep=1)["token"])
    other = trainer()
    assert other.post("/api/cleanup", {"token": token}).status_code == 409
    page.post("/system/cleanup/remove/", {"token": token})
    answer = page.post("/system/cleanup/remove/", {"token": token}, follow=True)
    assert "too old, or is being carried out already" in answer.content.decode()


def test_a_trainer_sees_and_deletes_only_their_own_files(run, data):
    make_file(run, "save", 1), make_file(run, "save", 2)
    client = trainer()
    mine = make_run("Mine", Run.Status.FINISHED, owner=client.user)
    first, _ = make_file(mine, "save", 1), make_file(mine, "save", 2)
    write(data / "cache/ab/1.safetensors")
    client.post("/api/cleanup/usage")
    work_off()
    assert [one["name"] for one in client.get("/api/cleanup/usage").json()["runs"]] == ["Mine"]
    assert client.get("/api/cleanup?kinds=orphans").status_code == 400
    shown = client.get("/api/cleanup?kinds=saves,caches&keep=1").json()
    assert client.get("/api/cleanup?kinds=caches&kinds=saves&keep=1").json()["going"] == shown["going"]
    assert [(item["kind"], item["run_name"]) for item in shown["going"]] == [("saves", "Mine")]
    job = client.post("/api/cleanup", {"token": shown["token"]}).json()
    work_off()
    assert client.get(f"/api/cleanup/jobs/{job['id']}").json()["removed"] == 1
    assert not Path(first.path).exists()


def test_only_files_that_are_old_enough_are_deleted(page, run):
    make_backup(run, 1), make_backup(run, 2)
    shown = preview(page, kinds="backups", keep=1, older_than=30)
    assert shown["going"] == [] and "It is not older than 30 days." in [why for why, *_ in shown["staying"]]


@pytest.mark.parametrize("given", [{"kinds": "nonsense"}, {}, {"kinds": "logs", "older_than": "-1"}, {"run": "x"}])
def test_an_impossible_choice_is_reported(page, given):
    assert "token" not in preview(page, **given)
    assert page.get("/system/cleanup/", {"preview": "1", **given}).status_code == 200


def test_the_policy_is_set_on_the_page_for_all_and_for_one_run(page, run):
    page.post("/system/cleanup/policy/", {"keep_backups": 3, "every_backups": 10})
    assert vars(RetentionPolicy.of(run).rule("backups")) == {"keep": 3, "every": 10}
    page.post("/system/cleanup/policy/", {"policy_of": str(run.pk), "keep_backups": 5})
    assert RetentionPolicy.of(run).keep_backups == 5 and RetentionPolicy.of_site().keep_backups == 3
    assert run.name in page.get("/system/cleanup/", {"policy_of": str(run.pk)}).content.decode()
    page.post("/system/cleanup/policy/", {"policy_of": str(run.pk), "follow_site": "1"})
    assert RetentionPolicy.of(run).keep_backups == 3
    assert settings.DATA_DIR.exists()
