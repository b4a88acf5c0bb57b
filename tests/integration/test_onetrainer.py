"""Runs of the engine OneTrainer in a whole site, trained by the stand-in checkout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.onetrainer.whole import args_of
from tests.onetrainer.attempts import STANDIN
from tests.waiting import wait_for
from tests.workspaces import Workspace

ENDED = ("stopped", "finished", "failed", "interrupted")


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site("onetrainer", ONETRAINER_HOME=str(STANDIN), ONETRAINER_PYTHON=sys.executable)
    site.start("--no-demo")
    yield site
    site.stop()


@pytest.fixture
def config(config):
    """Its steps take as long as the steps of a tiny model."""
    samples = [{"prompt": "a gray square", "seed": 7, "width": 32, "height": 32, "diffusion_steps": 1}]
    return config | {"output_model_format": "KOHYA_LORA", "samples": samples}


@pytest.fixture
def start(site, config):
    """Start a run; it is stopped at the end of the test."""

    def start(**changes):
        body = {"config_dict": config | changes, "name": "Gray", "engine": "onetrainer"}
        return site.api("POST", "training/start", body)["run_id"]

    yield start
    if site.status()["is_training"]:
        site.api("POST", "training/stop")
        site.wait_for_status(*ENDED)


def listed(site, run_id, kind):
    answer = site.api("GET", f"runs/{run_id}/{kind}/")
    return answer.get("results", answer)


def artifacts(site, run_id, kind):
    return [artifact for artifact in listed(site, run_id, "artifacts") if artifact["kind"] == kind]


def test_a_training_is_stored_completely_in_the_database(site, start):
    run_id = start(epochs=2, sample_after=1, sample_after_unit="STEP")
    run = wait_for(lambda: (run := site.run(run_id))["status"] in ENDED and run, 120, "its end")
    assert run["status"] == "finished", run
    losses = site.api("GET", f"runs/{run_id}/metrics/?tag=loss")["series"]["loss"]
    assert losses["steps"] == list(range(run["progress"]["global_step"]))
    assert {sample["metadata"]["prompt"] for sample in listed(site, run_id, "samples")} == {"a gray square"}
    assert artifacts(site, run_id, "backup") and artifacts(site, run_id, "model")


def test_a_stopped_training_continues_from_its_backup(site, start):
    run_id = start()
    site.wait_for_step(5)
    site.api("POST", "training/stop")
    stopped = site.wait_for_status("stopped")
    config = site.api("GET", f"runs/{run_id}/config/")
    site.api("POST", f"runs/{run_id}/resume/")
    assert site.wait_for_step(stopped["progress"]["global_step"] + 5)["attempt"] == 2
    assert site.api("GET", f"runs/{run_id}/config/") == config, "with the same seeds"
    backup = Path(artifacts(site, run_id, "backup")[0]["path"])
    assert args_of(backup)["concepts"][0]["seed"] == config["concepts"][0]["seed"]


def test_a_killed_training_resumes_automatically_from_its_backup(site, start):
    run_id = start()
    site.wait_for_step(5)
    site.api("POST", "training/backup")
    backup = wait_for(lambda: artifacts(site, run_id, "backup"), what="the backup")[0]
    site.kill("onetrainer/driver.py")
    wait_for(lambda: site.status()["attempt"] == 2, 60, "the second attempt")
    assert site.wait_for_step(backup["global_step"] + 5)["run_id"] == run_id


def test_a_killed_training_without_a_backup_is_interrupted(site, start):
    start()
    site.wait_for_step(5)
    site.kill("onetrainer/driver.py")
    assert "killed from outside" in site.wait_for_status("interrupted")["error"]


def test_a_training_of_the_desktop_continues_here_from_its_backup(site, config):
    workspace = Workspace(site.folder.parent / "desktop")
    workspace.config(**config | {"output_model_destination": str(workspace.folder / "model.safetensors")})
    workspace.log(steps=5)
    progress = {"epoch": 1, "epoch_step": 2, "epoch_sample": 4, "global_step": 5}
    backup = workspace.backup(5, 2, epoch=1, epoch_step=2)
    (backup / "meta.json").write_text(json.dumps({"train_progress": progress}))
    imported = site.api("POST", "runs/import", {"path": str(workspace.folder)}, expect=202)
    wait_for(lambda: site.api("GET", f"runs/import/{imported['id']}")["status"] == "done", what="the import")
    (run_id,) = site.api("GET", f"runs/import/{imported['id']}")["runs"]
    site.api("POST", f"runs/{run_id}/resume/")
    assert site.wait_for_step(10)["run_id"] == run_id
    site.api("POST", "training/stop")
    site.wait_for_status("stopped")
    losses = site.api("GET", f"runs/{run_id}/metrics/?tag=loss&points=10000")["series"]["loss"]["steps"]
    assert losses == list(range(len(losses)))
    (model,) = artifacts(site, run_id, "model")
    assert model["path"] == str(workspace.folder / "model.safetensors"), "where its config says"
