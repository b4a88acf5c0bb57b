"""The cost of the driver beside OneTrainer's script: `python -m benchmarks.onetrainer_driver [--rounds 3]`.

Trains the demo's LoRA by both in turn, each in a process of its own, with the checkout that ONETRAINER_HOME names and
one thread for the computation. Told are wall time and CPU time, which other work on the machine disturbs less: of a
step (the median of a training's steps but the first), and from the process's start to the first step. The callbacks,
through which the driver does all that it does in a step, are timed by themselves too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from engine.demo.make_dataset import DATASET
from engine.demo.make_model import MODEL

ROOT = Path(__file__).resolve().parent.parent
UNTIMED = 1  # rounds that fill the caches of the disk


class Times(NamedTuple):
    """Seconds."""

    step: float
    step_cpu: float
    callbacks_cpu: float  # of a step
    first: float
    first_cpu: float


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
        "batch_size": 2,
        "ema": "OFF",
        "sample_after_unit": "NEVER",
        "backup_after_unit": "NEVER",
        "backup_before_save": False,
        "tensorboard": False,
        "train_device": "cpu",
        "temp_device": "cpu",
    }


def train(by_driver: bool, epochs: int) -> Times:
    home = Path(os.environ["ONETRAINER_HOME"]).resolve()
    python = os.environ.get("ONETRAINER_PYTHON") or str(home / "venv/bin/python")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = make_config(folder, epochs)
        if by_driver:
            spec = {"run_id": "benchmark", "attempt": 1, "config": config, "resume_from": None}
            (folder / "spec.json").write_text(json.dumps(spec))
            script = [str(ROOT / "engine/onetrainer/driver.py"), str(folder)]
        else:
            (folder / "config.json").write_text(json.dumps({"__version": 10**6, **config}))
            script = [str(home / "scripts/train.py"), "--config-path", str(folder / "config.json")]
        command = [python, str(Path(__file__).with_name("with_step_times.py")), str(folder / "notes"), *script]
        began = time.time()
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{command} failed: {(done.stderr or done.stdout)[-2000:]}")
        return times_in(folder / "notes", began)


def times_in(notes: Path, began: float) -> Times:
    wall, cpu, callbacks = zip(*[map(float, line.split()) for line in notes.read_text().splitlines()], strict=True)
    return Times(median_step(wall), median_step(cpu), median_step(callbacks), wall[0] - began, cpu[0])


def median_step(times: tuple[float, ...]) -> float:
    return statistics.median(after - before for before, after in itertools.pairwise(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scripts: list[Times] = []
    drivers: list[Times] = []
    for number in range(options.rounds + UNTIMED):
        for by_driver in (False, True) if number % 2 else (True, False):
            times = train(by_driver, options.epochs)
            if number >= UNTIMED:
                (drivers if by_driver else scripts).append(times)
            print(f"{number} {'driver' if by_driver else 'script'}: {told(times)}", flush=True)
    tell(scripts, drivers)


def told(times: Times) -> str:
    return (
        f"a step {times.step * 1000:.2f} ms, {times.step_cpu * 1000:.2f} ms of CPU, "
        f"{times.callbacks_cpu * 1000:.3f} ms of it in callbacks; "
        f"first step after {times.first:.2f} s, {times.first_cpu:.2f} s of CPU"
    )


def tell(scripts: list[Times], drivers: list[Times]) -> None:
    script = Times(*map(statistics.median, zip(*scripts, strict=True)))
    driver = Times(*map(statistics.median, zip(*drivers, strict=True)))
    print(f"script, median of {len(scripts)}: {told(script)}")
    print(f"driver, median of {len(drivers)}: {told(driver)}")
    print(f"a step: ratio {driver.step / script.step:.3f}, of CPU {driver.step_cpu / script.step_cpu:.3f}")
    print(f"in callbacks: {(driver.callbacks_cpu - script.callbacks_cpu) / script.step_cpu:.2%} of a step's CPU")
    print(
        f"first step: {driver.first - script.first:+.2f} s, of CPU {driver.first_cpu - script.first_cpu:+.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
