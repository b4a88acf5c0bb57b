"""A run's config as it is used on the worker's machine."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from engine.interface.json_types import JsonObject
from training.models import Run


def engine_config(run: Run, on_gpu: bool) -> JsonObject:
    """The run's config as its engine gets it."""
    return config_on_host(run.config, run.folder, on_gpu)


def config_on_host(config: JsonObject, folder: Path, on_gpu: bool) -> JsonObject:
    """The config for this host: all output goes to the data folder, and training uses the worker's device."""
    config = dict(config)
    config["workspace_dir"] = str(folder / "workspace")
    config["cache_dir"] = str(settings.DATA_DIR / "cache")
    config["output_model_destination"] = str(folder / config.get("output_model_destination", "model.safetensors"))
    if not on_gpu:
        config["train_device"] = config["temp_device"] = "cpu"
    elif str(config.get("train_device", "")).startswith("cuda"):
        # the process sees only the worker's GPU, under its first number
        config["train_device"] = "cuda"
    return config
