"""An engine process whose code turned against the site: what it can read, write and reach."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from django.conf import settings

from engine.guest import landlock
from engine.launcher import EngineProcess
from tests.onetrainer.attempts import STANDIN
from tests.waiting import wait_for
from worker.guest import guest_of

SPY = Path(__file__).with_name("spy")
ENDED = ("stopped", "finished", "failed", "interrupted")
SECRETS = {"SECRET_OF_ANOTHER_PROGRAM": "1", "AWS_SECRET_ACCESS_KEY": "2", "DATABASE_PASSWORD": "3"}


def has_landlock():
    try:
        return landlock.version() >= 1
    except landlock.Unavailable:
        return False


pytestmark = pytest.mark.skipif(not has_landlock(), reason="The kernel has no Landlock.")


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A file of the site's user that has nothing to do with the site."""
    file = tmp_path_factory.mktemp("home") / "diary.txt"
    file.write_text("private")
    return file


@pytest.fixture(scope="module")
def site(make_site, outside):
    more = {"ENGINE_ENVIRONMENT": "SPIED", "PYTHONPATH": str(SPY), "SPIED": f"{outside}:/etc/shadow"}
    home = {"ONETRAINER_HOME": str(STANDIN), "ONETRAINER_PYTHON": sys.executable}
    site = make_site("guest", **more, **home, **SECRETS)
    del site.environment["TESTS_NURSERY"]  # it is forked from a process without the spy
    other = site.folder / "runs/11111111-1111-1111-1111-111111111111"
    other.mkdir(parents=True)
    (other / "journal.jsonl").write_text("{}")
    site.environment["SPIED"] += f":{other / 'journal.jsonl'}"
    yield site.start("--no-demo")
    site.stop()


def spied(site, run_id):
    found = wait_for(lambda: list((site.folder / "runs" / run_id).glob("attempts/1/spied.json")), 120, "the spy")
    return json.loads(found[0].read_text())


@pytest.mark.parametrize("engine", ["builtin", "onetrainer"])
def test_a_training_cannot_reach_keys_database_other_runs_or_the_home_folder(site, config, engine):
    changes = {"epochs": 1, "output_model_format": "KOHYA_LORA"}
    run_id = site.api("POST", "training/start", {"config_dict": config | changes, "name": "Spy", "engine": engine})[
        "run_id"
    ]
    run = wait_for(lambda: (run := site.run(run_id))["status"] in ENDED and run, 180, "its end")
    found = spied(site, run_id)
    own = str(site.folder / "runs" / run_id / "spied")
    assert set(found["read"].values()) == {"PermissionError"}, found["read"]
    assert {path for path, how in found["write"].items() if how == "done"} == {own}, found["write"]
    assert found["others"] == [] and found["child"] != 0
    assert found["redis"] == found["program"] == found["signal"] == "PermissionError"
    assert not {*SECRETS, "SECRET_KEY", "DATABASE_URL", "REDIS_URL"} & set(found["environment"])
    assert run["status"] == "finished", run
    assert "Landlock" in (site.folder / "runs" / run_id / "attempts/1/engine.log").read_text()


def test_a_fresh_interpreter_is_confined_as_a_fork_is(tmp_path, outside):
    folder = tmp_path / "run/attempts/1"
    (tmp_path / "run").mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    spec = {"config": {}, "guest": guest_of({}, tmp_path / "run", scratch)}
    environment = {**os.environ, "PYTHONPATH": str(SPY), "SPIED": str(outside), "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "engine.builtin", str(folder)]
    (settings.DATA_DIR / "secret_key").touch()
    process = EngineProcess.start(folder, spec, command, settings.BASE_DIR, environment)
    wait_for(lambda: not process.alive, 120)
    found = json.loads((folder / "spied.json").read_text())
    assert set(found["read"].values()) <= {"PermissionError", "FileNotFoundError"}
    assert found["read"][str(outside)] == found["read"][str(settings.DATA_DIR / "secret_key")] == "PermissionError"
    assert found["write"][str(tmp_path / "run/spied")] == "done"
