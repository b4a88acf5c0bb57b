"""What a real OneTrainer leaves behind, trained by its own script: the demo for two epochs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from engine.onetrainer.check import WRONG, look
from operations.workspaces.history import History
from tests.onetrainer.attempts import Attempt, real
from training.models import Run
from worker.host_config import engine_config

pytestmark = [pytest.mark.django_db, pytest.mark.real_onetrainer]
MINUTES = 10
DEMO = settings.BASE_DIR / "engine" / "demo"
CHANGES = {
    "epochs": 2,
    "ema": "CPU",
    "non_ema_sampling": True,
    "sample_after": 1,
    "sample_after_unit": "EPOCH",
    "backup_after": 1,
    "backup_after_unit": "EPOCH",
    "tensorboard": False,
    "dataloader_threads": 1,
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Trained once for all tests."""
    folder = tmp_path_factory.mktemp("real") / "workspace"
    demo = json.loads((DEMO / "config.json").read_text())
    demo["concepts"][0]["path"] = str(DEMO / "dataset")
    paths = {
        "base_model_name": str(DEMO / "model"),
        "workspace_dir": str(folder),
        "cache_dir": str(folder.parent / "cache"),
        "output_model_destination": str(folder.parent / "model.safetensors"),
        "samples": demo["samples"][:1],
    }
    # without a version, OneTrainer's script would migrate the config from its very first form
    config = {"__version": 11, **demo, **CHANGES, **paths}
    file = folder.parent / "config.json"
    file.write_text(json.dumps(config))
    command = [str(settings.ONETRAINER_PYTHON), "scripts/train.py", "--config-path", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(settings.ONETRAINER_HOME)}
    done = subprocess.run(
        command, cwd=settings.ONETRAINER_HOME, env=environment, capture_output=True, text=True, timeout=MINUTES * 60
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def run(workspace, settings):
    settings.ALLOWED_ROOTS = [workspace.parent]
    (run,) = History(workspace, send=lambda messages: None).update()
    return run


def test_its_run_is_finished_at_its_last_step(run):
    assert (run.status, run.error) == (Run.Status.FINISHED, "")
    assert (run.progress.epoch, run.progress.max_epoch, run.progress.global_step) == (2, 2, run.progress.total_steps)


def test_each_steps_scalars_are_there(run):
    tags = {tag for tag in run.metrics.values_list("tag", flat=True) if not tag.startswith("lr/")}
    assert tags == {"loss", "smooth_loss", "ema_decay"}
    assert list(run.metrics.filter(tag="loss").values_list("step", flat=True)) == list(range(run.progress.global_step))


def test_its_samples_have_their_whole_prompt_and_ema(run):
    told = set(run.samples.values_list("prompt", "index", "epoch", "is_ema"))
    prompt = run.config["samples"][0]["prompt"]
    assert told == {(prompt, 0, epoch, is_ema) for epoch in (0, 1) for is_ema in (True, False)}


def test_its_backups_and_model_are_there(run):
    kinds = run.artifacts.order_by("global_step", "kind").values_list("kind", "epoch")
    assert sorted(kinds) == [("backup", 1), ("backup", 2), ("model", 2)]


def test_an_imported_training_continues_here_from_its_backup(run, tmp_path):
    backup = run.artifacts.filter(kind="backup").earliest("global_step")
    attempt = Attempt(real(), tmp_path, engine_config(run, on_gpu=False)[0], Path(backup.path)).wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    steps = range(backup.global_step, run.progress.global_step)
    assert [data["step"] for data in attempt.data("metrics")] == list(steps)


def test_the_checkout_is_found_usable():
    findings, _ = look(settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON, lambda: None)
    assert not [finding for finding in findings if finding.state == WRONG]
