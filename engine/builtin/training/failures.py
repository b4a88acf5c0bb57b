"""From torch's errors to a sentence for the user, with the settings of this run that would help."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import torch
from safetensors import SafetensorError

from engine.builtin.config.enums import DataType, EMAMode, Optimizer, TrainingMethod
from engine.builtin.config.train_config import TrainConfig, trained_parts
from engine.builtin.families.precision import choose_device
from engine.interface.errors import DiskFull, NotWritten, OutOfMainMemory, OutOfMemory, TrainingError

logger = logging.getLogger("engine")
GIB = 1024**3
NOT_WRITTEN = (DiskFull, NotWritten, OSError, SafetensorError)
MOST_NAMED = 4  # settings; longer advice does not help


def explain(error: BaseException, config: TrainConfig) -> TrainingError | None:
    """The TrainingError for this error, or None if the error is unexpected."""
    if isinstance(error, torch.OutOfMemoryError):
        device, _ = choose_device(config)
        return OutOfMemory(f"The GPU ran out of memory{_peak(device)}: {what_to_lower(config)}.")
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return OutOfMainMemory(f"The machine ran out of main memory: {what_to_lower(config)}.")
    return None


def try_to_write(write: Callable[[], object], on_warning: Callable[[str], None]) -> None:
    """A file that cannot be written, on a full disk for example, must not end the training: it is retried when due."""
    try:
        write()
    except NOT_WRITTEN as error:
        logger.exception("A file could not be written; training continues.")
        on_warning(f"{error} Training continues, and the next one is tried when it is due.")


def what_to_lower(config: TrainConfig) -> str:
    """The settings that take the most memory and can be lowered, such as `lower batch_size (4)`."""
    return ", or ".join([*_savings(config)][:MOST_NAMED]) or "end other programs, or use a machine with more memory"


def _savings(config: TrainConfig) -> Iterator[str]:
    trained = trained_parts(config)
    if config.batch_size > 1:
        yield f"lower batch_size ({config.batch_size}; gradient_accumulation_steps makes up for it)"
    for name in trained:
        if not getattr(config, name).gradient_checkpointing:
            yield f"turn on {name}.gradient_checkpointing"
    if config.train_dtype is DataType.FLOAT_32:
        yield "choose BFLOAT_16 as train_dtype"
    yield f"lower resolution ({config.resolution})"
    if not config.latent_caching:
        yield "turn on latent_caching"
    if config.ema is EMAMode.GPU:
        yield "choose CPU for ema"
    if config.training_method is TrainingMethod.LORA:
        yield f"lower lora_rank ({config.lora_rank})"
    elif config.optimizer.optimizer is not Optimizer.ADAFACTOR:
        yield "choose ADAFACTOR as optimizer"


def _peak(device: torch.device) -> str:
    """The GPU's memory, and the part that this process took; empty for a CPU."""
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_reserved(device) / GIB
    free, total = (size / GIB for size in torch.cuda.mem_get_info(device))
    others = max(0.0, total - free - torch.cuda.memory_reserved(device) / GIB)
    return f" (this run took up to {peak:.1f} GB of {total:.1f} GB, other programs use {others:.1f} GB)"
