"""The check before a run of OneTrainer is queued: only certain problems are errors."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.engines import ROOT
from engine.onetrainer.preflight import preflight


def found(config, severity="error"):
    return {one.field: one.message for one in preflight(config, []).problems if one.severity == severity}


def test_settings_unknown_to_the_built_in_trainer_are_no_problem(config, tmp_path):
    """As the worker runs it."""
    config |= {"text_encoder": {"stop_training_after": 30, "stop_training_after_unit": "EPOCH"}, "cloud": {}}
    config |= {"optimizer": {"optimizer": "LION"}, "ema": "SOMETHING_NEW"}
    (tmp_path / "spec.json").write_text(json.dumps({"config": config, "engine": "onetrainer", "gpus": []}))
    command = [sys.executable, "-m", "engine.preflight", str(tmp_path / "spec.json")]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(said[-1])["problems"] == [] and json.loads(said[-1])["estimate"]["batches"] == 2


def test_a_model_of_an_unknown_kind_is_left_to_onetrainer(config):
    assert found(config | {"model_type": "FLUX_DEV_1"}) == found(config | {"model_type": "NEXT_YEARS_MODEL"}) == {}


def test_a_missing_model_is_an_error(config, tmp_path):
    missing = config | {"base_model_name": str(tmp_path / "none"), "model_type": "FLUX_DEV_1"}
    assert "does not exist" in found(missing)["base_model_name"]


def test_a_file_that_is_not_a_picture_is_an_error_and_a_missing_caption_is_not(config, pictures):
    (pictures / "star-01.txt").unlink()
    assert found(config) == {}
    (pictures / "star-01.png").write_text("no picture")
    assert "cannot be read as a picture" in found(config)["concepts.0.path"]


@pytest.mark.parametrize(("name", "errors"), [("a.mp4", set()), ("a.txt", {"concepts.0.path"})])
def test_a_folder_of_videos_needs_no_pictures(config, pictures, name, errors):
    for path in pictures.iterdir():
        path.unlink()
    (pictures / name).touch()
    assert set(found(config)) == errors


def test_too_few_pictures_for_a_batch_are_a_warning(config):
    assert "do not fill a batch" in found(config | {"batch_size": 64}, "warning")["batch_size"]


def test_an_existing_model_is_kept_and_is_no_problem(config, tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert found(config) == found(config, "warning") == {}
