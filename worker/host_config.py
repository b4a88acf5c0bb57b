"""A run's config as it is used on the worker's machine."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from engine.engines import get_engine
from engine.interface.json_types import JsonObject
from engine.paths.permits import Permits
from presets.config.named_paths import Reads
from presets.config.permits import Admission
from training.models import Run


def keep_random_values(run: Run) -> None:
    """Store the random values that the run's config lacks, because an older version of the site did not keep them.

    They are those of the backup that the run resumes from. Raises UnknownEngine and Unavailable.
    """
    config = get_engine(run.engine).keep_random(run.config, run.resume_from)
    if config != run.config:
        run.config = config
        Run.objects.filter(pk=run.pk).update(config=config)


def engine_config(run: Run, on_gpu: bool) -> tuple[JsonObject, Permits]:
    """The run's config as its engine gets it, with the permits for its paths. Raises BadConfig, and as `Reads.of`."""
    run.folder.mkdir(parents=True, exist_ok=True)
    admission = Admission(Reads.of(run.engine), run.folder, run.checked_paths, run.attempt)
    config, permits = admission.admit(_with_destination(run.config))
    return config_on_host(config, run.folder, on_gpu), permits


def checked_config(config: JsonObject, engine: str, folder: Path, on_gpu: bool) -> tuple[JsonObject, Permits]:
    """As `engine_config`, for the check of a config whose run does not exist yet."""
    config, permits = Admission(Reads.of(engine), folder, is_check=True).admit(_with_destination(config))
    return config_on_host(config, folder, on_gpu), permits


def _with_destination(config: JsonObject) -> JsonObject:
    return {**config, "output_model_destination": config.get("output_model_destination") or "model.safetensors"}


def config_on_host(config: JsonObject, folder: Path, on_gpu: bool) -> JsonObject:
    """The config for this host: all output goes to the data folder, and training uses the worker's device."""
    config = dict(config)
    config["workspace_dir"] = str(folder / "workspace")
    config["cache_dir"] = str(settings.DATA_DIR / "cache")
    if not on_gpu:
        config["train_device"] = config["temp_device"] = "cpu"
    elif str(config.get("train_device", "")).startswith("cuda"):
        # the process sees only the worker's GPU, under its first number
        config["train_device"] = "cuda"
    return config
