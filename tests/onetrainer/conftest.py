from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.engines import ROOT
from engine.onetrainer import facts as onetrainer
from tests.onetrainer.attempts import Attempt, real, standin

HAS_ONE = pytest.mark.skipif(not os.environ.get("ONETRAINER_HOME"), reason="ONETRAINER_HOME names no checkout.")
KINDS = [standin, pytest.param(real, marks=[pytest.mark.real_onetrainer, HAS_ONE])]


def only_standin(reason: str):
    """Skip tests that a real checkout cannot pass on every machine; `reason` says why."""
    return pytest.mark.parametrize("checkout", [standin], ids=["standin"], indirect=True)


@pytest.fixture(params=KINDS, ids=["standin", "real"])
def checkout(request):
    return request.param()


@pytest.fixture(scope="session")
def kept_facts(tmp_path_factory):
    """The facts of each checkout, read once."""
    known = {}

    def read(checkout):
        if checkout.home not in known:
            folder = tmp_path_factory.mktemp("facts")
            known[checkout.home] = onetrainer.Checkout(checkout.home, Path(checkout.python), folder).facts(120)
        return known[checkout.home]

    return read


@pytest.fixture
def facts(checkout, kept_facts):
    return kept_facts(checkout)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four of the demo's pictures with their captions."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 5):
        for ending in ("png", "txt"):
            shutil.copy(ROOT / f"engine/demo/dataset/star-0{number}.{ending}", folder)
    return folder


@pytest.fixture
def config(tmp_path: Path, pictures: Path) -> dict[str, Any]:
    return {
        "model_type": "STABLE_DIFFUSION_15",
        "training_method": "LORA",
        "base_model_name": str(ROOT / "engine/demo/model"),
        "concepts": [{"path": str(pictures), "name": "stars"}],
        "samples": [{"prompt": "a red star", "seed": 7, "width": 64, "height": 64, "diffusion_steps": 2}],
        "workspace_dir": str(tmp_path / "workspace"),
        "cache_dir": str(tmp_path / "shared"),
        "output_model_destination": str(tmp_path / "model.safetensors"),
        "output_model_format": "KOHYA_LORA",
        "train_device": "cpu",
        "temp_device": "cpu",
        "train_dtype": "FLOAT_32",
        "resolution": "64",
        "epochs": 2,
        "batch_size": 2,
        "learning_rate": 0.001,
        "lora_rank": 4,
        "lora_alpha": 4,
        "sample_after_unit": "NEVER",
        "sample_image_format": "PNG",
        "backup_after_unit": "NEVER",
        "dataloader_threads": 1,
    }


@pytest.fixture
def start(checkout, tmp_path: Path, config: dict[str, Any]):
    """Start the driver on the config with changes; all remaining processes are killed at the end."""
    started: list[Attempt] = []

    def start(resume_from: Path | None = None, **changes: Any) -> Attempt:
        started.append(Attempt(checkout, tmp_path / f"attempt{len(started)}", config | changes, resume_from))
        return started[-1]

    yield start
    for attempt in started:
        attempt.process.kill()
