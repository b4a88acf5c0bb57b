"""The cost of the driver beside OneTrainer's script: `python -m benchmarks.onetrainer_driver [--rounds 2]`.

Trains the demo's LoRA by both in turn, each in a process of its own, with the checkout that ONETRAINER_HOME names.
Times are those that OneTrainer itself writes beside each loss into its TensorBoard log, so both are measured alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.demo.make_dataset import DATASET
from engine.demo.make_model import MODEL
from engine.onetrainer.scalars import ScalarLog

ROOT = Path(__file__).resolve().parent.parent
MOST = 1_000_000


def make_config(folder: Path, epochs: int) -> dict[str, Any]:
    """The demo's training, without samples and backups, which are no part of a step."""
    return json.loads((MODEL.parent / "config.json").read_text()) | {
        "base_model_name": str(MODEL),
        "concepts": [{"path": str(DATASET), "name": "stars"}],
        "samples": [],
        "workspace_dir": str(folder / "workspace"),
        "cache_dir": str(folder / "workspace" / "cache"),
        "output_model_destination": str(folder / "model.safetensors"),
        "epochs": epochs,
        "ema": "OFF",
        "sample_after_unit": "NEVER",
        "backup_after_unit": "NEVER",
        "backup_before_save": False,
        "tensorboard": False,
        "train_device": "cpu",
        "temp_device": "cpu",
    }


def train(by_driver: bool, epochs: int) -> tuple[float, float]:
    """(seconds from the process's start to the end of the first step, median seconds of a step after it)."""
    home = Path(os.environ["ONETRAINER_HOME"])
    python = os.environ.get("ONETRAINER_PYTHON") or str(home / "venv/bin/python")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = make_config(folder, epochs)
        if by_driver:
            spec = {"run_id": "benchmark", "attempt": 1, "config": config, "resume_from": None}
            (folder / "spec.json").write_text(json.dumps(spec))
            command = [python, str(ROOT / "engine/onetrainer/driver.py"), str(folder)]
        else:
            (folder / "config.json").write_text(json.dumps({"__version": 10**6, **config}))
            command = [python, "scripts/train.py", "--config-path", str(folder / "config.json")]
        began = time.time()
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        times = step_times(folder / "workspace")
        if len(times) < 3:
            raise SystemExit(f"{command} made {len(times)} steps: {(done.stderr or done.stdout)[-2000:]}")
    return times[0] - began, statistics.median(after - before for before, after in zip(times, times[1:], strict=False))


def step_times(workspace: Path) -> list[float]:
    files = sorted(workspace.glob("tensorboard/*/events.out.tfevents.*"))
    return [scalar.time for scalar in ScalarLog().read(files, MOST)[0] if scalar.tag == "loss"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    ratios, delays = [], []
    for number in range(options.rounds):
        script = driver = (0.0, 0.0)
        for by_driver in (False, True) if number % 2 == 0 else (True, False):
            if by_driver:
                driver = train(True, options.epochs)
            else:
                script = train(False, options.epochs)
        ratios.append(driver[1] / script[1])
        delays.append(driver[0] - script[0])
        print(
            f"a step: script {script[1] * 1000:.1f} ms, driver {driver[1] * 1000:.1f} ms, ratio {ratios[-1]:.3f}; "
            f"first step: script {script[0]:.1f} s, driver {driver[0]:.1f} s",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.3f}, first step {statistics.median(delays):+.1f} s")


if __name__ == "__main__":
    main()
