"""Faults of OneTrainer that users reported, and that a run on this site does not have."""

from __future__ import annotations

import shutil

from engine.engines import ROOT
from tests.onetrainer.attempts import Attempt, standin


def test_a_stop_does_not_wait_for_hours_until_a_large_data_set_is_cached(tmp_path):
    """Nerogar/OneTrainer#109: after a stop all pictures were still encoded, and the program had to be killed."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(1, 5):
        shutil.copy(ROOT / f"engine/demo/dataset/star-0{number}.png", pictures)
    held = [pictures / f"star-0{number}.png.held" for number in (2, 4)]  # each takes as long as the test wants
    for file in held:
        file.touch()
    config = {
        "base_model_name": str(ROOT / "engine/demo/model"),
        "concepts": [{"path": str(pictures)}],
        "workspace_dir": str(tmp_path / "workspace"),
        "output_model_destination": str(tmp_path / "model.safetensors"),
    }
    attempt = Attempt(standin(), tmp_path / "attempt", config)
    try:
        attempt.wait_for("status", text="Starting epoch/caching")
        attempt.send("stop")
        attempt.wait_for("status", text="Stopping")
        held[0].unlink()  # the last picture is held for ever: it must not be waited for
        attempt.wait()
        assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
        assert not (tmp_path / "model.safetensors").exists()
    finally:
        attempt.process.kill()
