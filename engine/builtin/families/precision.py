"""Number formats: from the config's names to torch's, and what a device can do with them."""

from __future__ import annotations

import resource
from contextlib import AbstractContextManager, nullcontext

import torch

from engine.builtin.config.enums import DataType
from engine.builtin.config.train_config import TrainConfig

TORCH = {
    DataType.FLOAT_32: torch.float32,
    DataType.FLOAT_16: torch.float16,
    DataType.BFLOAT_16: torch.bfloat16,
}


def torch_dtype(name: DataType) -> torch.dtype:
    return TORCH[name]


def choose_device(config: TrainConfig) -> tuple[torch.device, list[str]]:
    """The device to train on, and warnings where it is not what the config asks for."""
    wanted = torch.device(config.train_device)
    if wanted.type == "cuda" and not torch.cuda.is_available():
        return torch.device("cpu"), [f"There is no GPU for {config.train_device}, so this trains on the CPU."]
    return wanted, []


def computing_dtype(config: TrainConfig, device: torch.device) -> tuple[torch.dtype, list[str]]:
    """The format to compute in, and warnings; a CPU computes in half precision only slowly and coarsely."""
    dtype = torch_dtype(config.train_dtype)
    if device.type == "cpu" and dtype is torch.float16:
        return torch.float32, ["A CPU does not train in FLOAT_16, so this trains in FLOAT_32."]
    return dtype, []


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy to the device without a wait: a copy out of pageable memory first waits for all work that is under way."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Compute in `dtype` where that is safe; nothing to do for float32."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype)


def peak_memory(device: torch.device, before: int = 0) -> int:
    """The most bytes that this process has taken of the device, without CUDA's own context.

    Of a CPU it is the process's greatest resident size beyond `before`, what it had before the model was loaded.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
