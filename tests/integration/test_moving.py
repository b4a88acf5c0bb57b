"""The history of a real training moves to another place during the training, and continues there."""

from __future__ import annotations

import json
import subprocess

import pytest
import requests
from django.conf import settings

from tests.archives import files_of, history_of
from tests.integration.site import MANAGE
from tests.needs import needs_postgres
from tests.servers import postgres_server
from tests.waiting import wait_for

SETTLED = {"training.run", "training.runevent", "training.runcommand", "system.worker", "system.job"}


@pytest.fixture(scope="module")
def old(make_site, config):
    """A site that trains, with samples and backups."""
    site = make_site("old").start("--no-demo")
    steps = {"backup_after": 5, "backup_after_unit": "STEP", "sample_after": 5, "sample_after_unit": "STEP"}
    site.run_id = site.start_run(config, **steps)
    wait_for(lambda: listed(site, "samples") and listed(site, "artifacts"), 120, "a sample and a backup")
    site.first_sample = listed(site, "samples")[-1]["url"]  # a sample that exists before the archive is written
    return site


@pytest.fixture(scope="module")
def archive(old):
    path = old.folder.parent / "archive.zip"
    said = old.manage("export_all", str(path), "--with-secrets")
    assert "Wrote" in said and "secret key" in said
    assert old.status()["run_status"] == "running"
    return path


def listed(site, what):
    return site.api("GET", f"runs/{site.run_id}/{what}/")["results"]


@pytest.fixture(scope="module")
def picture(old, archive):
    """A sample's address and content on the old site, which is then removed."""
    content = requests.get(old.address + old.first_sample, headers=token(old), timeout=60).content
    old.clean_up()
    return old.first_sample, content


@pytest.fixture(scope="module")
def new(make_site, archive):
    site = make_site("new", new=True)
    site.manage("import_all", str(archive))
    return site


@pytest.fixture(scope="module")
def again(new):
    path = new.folder.parent / "again.zip"
    new.manage("export_all", str(path), "--with-secrets")
    return path


def test_all_rows_and_files_are_moved(old, archive, new, again):
    before, after = history_of(archive, old.folder), history_of(again, new.folder)
    assert {table for table in before if before[table] != after[table]} <= SETTLED
    assert all(before[table] for table in ("training.metric", "samples.sample", "training.artifact", "system.apitoken"))
    assert files_of(again) == files_of(archive)
    assert found_in(new) == []


@needs_postgres
def test_to_postgresql_and_back_the_history_is_the_same(make_site, again, new, tmp_path):
    there, back = tmp_path / "there.zip", tmp_path / "back.zip"
    with postgres_server() as server:
        heavy, light = make_site("heavy", bare=True, DATABASE_URL=server.url), make_site("light", new=True)
        heavy.manage("import_all", str(again))
        heavy.manage("export_all", str(there), "--with-secrets")
    light.manage("import_all", str(there))
    light.manage("export_all", str(back), "--with-secrets")
    history = history_of(again, new.folder)
    assert history == history_of(there, heavy.folder) == history_of(back, light.folder)
    assert files_of(again) == files_of(there) == files_of(back)


def test_the_training_continues_in_the_new_place(old, new, picture, again):
    address, content = picture
    new.start("--no-demo")
    answer = requests.get(new.address + address, headers=token(old), timeout=60)  # the same token opens it
    assert answer.content == content
    run_id, step = new.status()["run_id"], new.status()["progress"]["global_step"]
    assert "continue it from its newest backup" in new.run(run_id)["error"]
    new.api("POST", f"runs/{run_id}/resume/")
    new.wait_for_step(step)
    assert new.run(run_id)["attempt"] == 2


def token(site):
    return {"Authorization": site._session.headers["Authorization"]}


def found_in(site):
    """The problems that the doctor finds."""
    command = [*MANAGE, "doctor", "--json"]
    answer = subprocess.run(command, cwd=settings.BASE_DIR, env=site.environment, capture_output=True, text=True)
    return [finding for finding in json.loads(answer.stdout)["findings"] if finding["level"] == "wrong"]
