"""What a saved file says of itself, under the names that other tools read.

`modelspec.*` is Stability AI's ModelSpec 1.0.1, `ss_*` and `sshs_*` are the names of kohya's sd-scripts, which
Automatic1111, Forge and ComfyUI show. docs/trainer.md lists who reads what.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from engine.builtin.config.enums import TrainingMethod
from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.saving.trained_data import DataSummary, summary_of
from engine.builtin.training.session import Session
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import LENGTH_BYTES, read_header

VERSION = "0.1.0"
SOFTWARE = f"OneTrainer Web UI {VERSION}"
OF_STABILITY_AI = "https://github.com/Stability-AI/generative-models"
NO_HASH = "0" * 64  # takes the place of the hash, which is known once the file is written
CHUNK = 1 << 20


def metadata(session: Session) -> dict[str, str]:
    """The metadata of the session's model; all values are text, and objects are JSON."""
    config = session.config
    data = summary_of(session.loader.plan)
    facts = _own(session) | _modelspec(session, data) | _kohya(session, data)
    if config.training_method is TrainingMethod.LORA:
        facts |= {
            "ss_network_module": "networks.lora",
            "ss_network_dim": config.lora_rank,
            "ss_network_alpha": config.lora_alpha,
        }
    return {name: _text(value) for name, value in facts.items()}


def write_hash(path: Path) -> None:
    """Replace NO_HASH in a safetensors file by the sha256 of its tensors, the bytes after the header.

    The header keeps its length, so that a large file is read once and not written again.
    """
    end_of_header = min((place.start for place in read_header(path).tensors.values()), default=path.stat().st_size)
    with path.open("rb+") as file:
        file.seek(end_of_header)
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        file.seek(LENGTH_BYTES)
        header = file.read(end_of_header - LENGTH_BYTES)
        file.seek(LENGTH_BYTES)
        file.write(header.replace(NO_HASH.encode(), digest.hexdigest().encode()))


def config_hash(config: TrainConfig) -> str:
    """sha256 of the config as sorted JSON; identifies the settings that made a file."""
    return hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()


def _own(session: Session) -> JsonObject:
    return {
        "format": "pt",
        "software": SOFTWARE,
        "base_model": session.config.base_model_name,
        "config_sha256": config_hash(session.config),
        "steps": session.progress.global_step,
    }


def _modelspec(session: Session, data: DataSummary) -> JsonObject:
    """https://github.com/Stability-AI/ModelSpec; the architectures as in library/sai_model_spec.py of sd-scripts."""
    config, kind = session.config, session.family.describe()
    is_lora = config.training_method is TrainingMethod.LORA
    first = parse_resolution(config.resolution)[0]
    facts = {
        "sai_model_spec": "1.0.1",
        "architecture": kind.modelspec + ("/lora" if is_lora else ""),
        "implementation": "diffusers" if is_lora else OF_STABILITY_AI,
        "implementation_version": SOFTWARE,
        "title": Path(config.output_model_destination).stem,
        "resolution": f"{first.width}x{first.height}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "prediction_type": "v" if kind.predicts_velocity else "epsilon",
        "hash_sha256": f"0x{NO_HASH}",
    }
    if data.phrase:
        facts["trigger_phrase"] = data.phrase
    return {f"modelspec.{name}": value for name, value in facts.items()}


def _kohya(session: Session, data: DataSummary) -> JsonObject:
    """The names that train_network.py of sd-scripts writes, with its spelling of values."""
    config, kind = session.config, session.family.describe()
    return {
        "ss_base_model_version": kind.kohya,
        "ss_v2": kind.is_v2,
        "ss_v_parameterization": kind.predicts_velocity,
        "ss_sd_model_name": config.base_model_name,
        "ss_output_name": Path(config.output_model_destination).stem,
        "ss_training_started_at": session.started_at,
        "ss_training_finished_at": datetime.now(UTC).timestamp(),
        "ss_steps": session.progress.global_step,
        "ss_epoch": session.progress.epoch,
        "ss_num_epochs": config.epochs,
        "ss_num_train_images": data.pictures,
        "ss_batch_size_per_device": config.batch_size,
        "ss_gradient_accumulation_steps": config.gradient_accumulation_steps,
        "ss_learning_rate": config.learning_rate,
        "ss_lr_scheduler": config.learning_rate_scheduler.lower(),
        "ss_optimizer": config.optimizer.optimizer,
        "ss_mixed_precision": config.train_dtype,
        "ss_resolution": config.resolution,
        "ss_seed": config.seed,
        "ss_dataset_dirs": data.folders,
        "ss_tag_frequency": data.tags,
        "ss_bucket_info": {"buckets": data.buckets},
        "sshs_model_hash": NO_HASH,
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
