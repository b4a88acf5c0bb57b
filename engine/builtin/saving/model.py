"""Writing the trained model: a LoRA file that other tools load, or the whole model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors.torch import save_file

from engine.builtin.config.enums import ModelFormat, TrainingMethod
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.lora import diffusers_layout, kohya_layout, lora_parameters
from engine.builtin.families.precision import torch_dtype
from engine.interface.errors import NotWritten
from engine.interface.files import write_manifest, written_beside
from engine.interface.json_types import JsonObject
from engine.interface.progress import TrainProgress
from engine.interface.safetensors_header import read_header

VERSION = "0.1.0"


def save_model(
    config: TrainConfig, family: ModelFamily, progress: TrainProgress, destination: Path, old: Path | None = None
) -> Path:
    """Write the model beside and rename it to `destination`; an existing file there is kept as `old`."""
    with written_beside(destination, old) as beside:
        if config.training_method is TrainingMethod.LORA:
            _save_lora(config, family, progress, beside)
        else:
            as_folder = config.output_model_format is ModelFormat.DIFFUSERS
            family.save_model(beside, as_folder, torch_dtype(config.output_dtype), metadata(config, family, progress))
        if beside.is_dir():
            write_manifest(beside)
    return destination


def expected_size(config: TrainConfig, family: ModelFamily) -> int:
    """Bytes of the weights in the file that `save_model` writes."""
    if config.training_method is TrainingMethod.LORA:
        trained = [weight for part in family.parts.values() for weight in lora_parameters(part)]
    else:
        trained = [weight for part in family.modules().values() for weight in part.parameters()]
    return sum(weight.numel() for weight in trained) * torch_dtype(config.output_dtype).itemsize


def _save_lora(config: TrainConfig, family: ModelFamily, progress: TrainProgress, path: Path) -> None:
    parts = {name: part for name, part in family.parts.items() if getattr(config, name).train}
    layout = diffusers_layout if config.output_model_format is ModelFormat.DIFFUSERS_LORA else kohya_layout
    dtype = torch_dtype(config.output_dtype)
    tensors = {name: weight.to("cpu", dtype).contiguous() for name, weight in layout(config, family, parts).items()}
    save_file(tensors, path, metadata(config, family, progress))
    if set(read_header(path).shapes) != set(tensors):
        raise NotWritten(f"{path.name} was not written completely: check the disk and its free space.")


def metadata(config: TrainConfig, family: ModelFamily, progress: TrainProgress) -> dict[str, str]:
    """The file's metadata, under the names that other tools show; values are text."""
    facts: JsonObject = {
        "format": "pt",
        "software": f"OneTrainer Web UI {VERSION}",
        "base_model": config.base_model_name,
        "config_sha256": config_hash(config),
        "steps": progress.global_step,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": Path(config.output_model_destination).stem,
        "modelspec.resolution": config.resolution,
        "ss_output_name": Path(config.output_model_destination).stem,
        "ss_sd_model_name": config.base_model_name,
        "ss_steps": progress.global_step,
        "ss_num_epochs": config.epochs,
        "ss_epoch": progress.epoch,
        "ss_batch_size_per_device": config.batch_size,
        "ss_gradient_accumulation_steps": config.gradient_accumulation_steps,
        "ss_learning_rate": config.learning_rate,
        "ss_lr_scheduler": config.learning_rate_scheduler.lower(),
        "ss_optimizer": config.optimizer.optimizer,
        "ss_mixed_precision": config.train_dtype,
        "ss_resolution": config.resolution,
        "ss_seed": config.seed,
        **family.describe(),
    }
    if config.training_method is TrainingMethod.LORA:
        facts |= {
            "ss_network_module": "networks.lora",
            "ss_network_dim": config.lora_rank,
            "ss_network_alpha": config.lora_alpha,
        }
    return {name: str(value) for name, value in facts.items()}


def config_hash(config: TrainConfig) -> str:
    """sha256 of the config as sorted JSON; identifies the settings that made a file."""
    return hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()
