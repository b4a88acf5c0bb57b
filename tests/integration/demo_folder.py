"""A tiny model and its pictures, in the same layout as the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Tests of sites check the effects of steps, not the trained model: with this a step takes a third of the time.
LIGHT = {"layer_filter": "attn", "text_encoder": {"train": False}}


def make_demo_folder(folder: Path) -> Path:
    from tests.engine import tiny

    folder.mkdir(exist_ok=True)
    model = tiny.make_model(folder / "model", levels=1)
    config = tiny.config_for(model, tiny.make_pictures(folder / "dataset"), folder) | LIGHT
    for field in ("workspace_dir", "cache_dir", "backup_before_save"):
        del config[field]  # OneTrainer's defaults
    config |= {"output_model_destination": "models/gray.safetensors", "sample_after_unit": "EPOCH", "sample_after": 2}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def training_config(folder: Path) -> dict[str, Any]:
    """A config for a training that only ends on request."""
    whole = json.loads((folder / "config.json").read_text())
    del whole["sample_after"]  # it has no effect then, which would be a warning
    return whole | {"epochs": 100_000, "sample_after_unit": "NEVER"}
