"""Writing the trained model: a LoRA file that other tools load, or the whole model."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from engine.builtin.config.enums import ModelFormat, TrainingMethod
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.lora import diffusers_layout, kohya_layout, lora_parameters
from engine.builtin.families.precision import torch_dtype
from engine.builtin.saving.metadata import metadata, write_hash
from engine.builtin.training.session import Session
from engine.interface.errors import NotWritten
from engine.interface.files import write_manifest, written_beside
from engine.interface.safetensors_header import read_header


def save_model(session: Session, destination: Path, old: Path | None = None) -> Path:
    """Write the model beside and rename it to `destination`; an existing file there is kept as `old`."""
    config, family = session.config, session.family
    with written_beside(destination, old) as beside:
        if config.training_method is TrainingMethod.LORA:
            _save_lora(session, beside)
        else:
            as_folder = config.output_model_format is ModelFormat.DIFFUSERS
            family.save_model(beside, as_folder, torch_dtype(config.output_dtype), metadata(session))
        if beside.is_dir():
            write_manifest(beside)
        else:
            write_hash(beside)
    return destination


def expected_size(config: TrainConfig, family: ModelFamily) -> int:
    """Bytes of the weights in the file that `save_model` writes."""
    if config.training_method is TrainingMethod.LORA:
        trained = [weight for part in family.parts.values() for weight in lora_parameters(part)]
    else:
        trained = [weight for part in family.modules().values() for weight in part.parameters()]
    return sum(weight.numel() for weight in trained) * torch_dtype(config.output_dtype).itemsize


def _save_lora(session: Session, path: Path) -> None:
    config, family = session.config, session.family
    parts = {name: part for name, part in family.parts.items() if getattr(config, name).train}
    layout = diffusers_layout if config.output_model_format is ModelFormat.DIFFUSERS_LORA else kohya_layout
    dtype = torch_dtype(config.output_dtype)
    tensors = {name: weight.to("cpu", dtype).contiguous() for name, weight in layout(config, family, parts).items()}
    save_file(tensors, path, metadata(session))
    if set(read_header(path).shapes) != set(tensors):
        raise NotWritten(f"{path.name} was not written completely: check the disk and its free space.")
