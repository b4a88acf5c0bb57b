"""A training that was started outside of the site, followed by a whole site whose processes are killed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings

from tests.waiting import wait_for

# A step each 50 ms until the file `end` appears, and then the final model.
TRAINING = """
import os, sys, time
from pathlib import Path
from tests.workspaces import living_workspace

workspace, log = living_workspace(Path(sys.argv[1]), os.getpid())
step = 2
while not (workspace.folder / "end").exists():
    log.scalars(step, time.time(), **{"loss/train_step": 1 / step})
    step += 1
    time.sleep(0.05)
workspace.backup(step, 60, epoch=4, epoch_step=0)
workspace.file(60, "model.safetensors")
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site("following").start("--no-demo")
    yield site
    site.stop()


@pytest.fixture
def workspace(site):
    """The folder of a training in a separate process."""
    folder = site.folder.parent / "workspace"
    command = [sys.executable, "-c", TRAINING, str(folder)]
    with subprocess.Popen(command, cwd=settings.BASE_DIR) as process:
        wait_for(lambda: list(folder.glob("tensorboard/*/events*")), what="the training's log")
        yield folder
        process.kill()


def step_of(site, run_id):
    return site.run(run_id)["progress"]["global_step"]


def goes_on(site, run_id):
    before = step_of(site, run_id)
    wait_for(lambda: step_of(site, run_id) > before, 90, "another step")


def test_a_training_is_followed_to_its_end_despite_the_death_of_each_process(site, workspace):
    imported = site.api("POST", "runs/import", {"path": str(workspace)}, expect=202)
    (run_id,) = wait_for(lambda: site.api("GET", f"runs/import/{imported['id']}")["runs"], what="the run")
    goes_on(site, run_id)
    assert site.status()["run_status"] == "running"
    for process in ("do_job", "gpu_worker", "uvicorn"):
        site.kill(process)
        goes_on(site, run_id)
    (workspace / "end").touch()
    run = wait_for(lambda: (run := site.run(run_id))["status"] != "running" and run, 90, "its end")
    assert run["status"] == "finished"
    metrics = site.api("GET", f"runs/{run_id}/metrics/?tag=loss&points=10000")["series"]["loss"]
    assert metrics["steps"] == list(range(metrics["total"]))
