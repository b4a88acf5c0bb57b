"""Number formats: from the config's names to torch's, and the formats that a device supports."""

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
    """The device to train on, and a warning if it differs from the config's device."""
    device = torch.device(config.train_device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return torch.device("cpu"), [f"There is no GPU for {config.train_device}, so the run trains on the CPU."]
    return device, []


def computing_dtype(config: TrainConfig, device: torch.device) -> tuple[torch.dtype, list[str]]:
    """The format to compute in, and warnings; a CPU computes in half precision only slowly and coarsely."""
    dtype = torch_dtype(config.train_dtype)
    if device.type == "cpu" and dtype is torch.float16:
        return torch.float32, ["A CPU cannot train in FLOAT_16, so the run trains in FLOAT_32."]
    return dtype, []


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy to the device without a wait: a copy from pageable memory first waits for all pending work."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Compute in `dtype` if that is safe; does nothing for float32."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype)


def peak_memory(device: torch.device, before: int = 0) -> int:
    """The most bytes that this process has used on the device, without CUDA's own context.

    For a CPU it is the process's peak resident size minus `before`, its peak before the model was loaded.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
