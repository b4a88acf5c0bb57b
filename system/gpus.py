"""This host's GPUs as pages and the API show them. Without torch: the web process reads this too."""

from __future__ import annotations

import os
from typing import TypedDict

from engine.gpus import SHARED, Gpu, GpuProcess


class GpuUser(TypedDict):
    """A process that holds memory of a GPU; a training and all that it starts are one session."""

    pid: int
    name: str
    memory_gb: float
    session: int | None


class GpuFacts(TypedDict):
    """One GPU; 0 for a value that it does not report."""

    id: int
    name: str
    uuid: str
    memory_total_gb: float
    memory_allocated_gb: float
    memory_reserved_gb: float
    usage_percent: float
    temperature_c: float
    power_w: float
    clock_mhz: float
    users: list[GpuUser]


def gpus() -> list[GpuFacts]:
    """Each NVIDIA GPU of this host; an empty list if there is none, or its driver does not answer in time."""
    return [_device(gpu) for gpu in SHARED.read().gpus]


def gpu_processes() -> set[int]:
    """The numbers of the processes that hold GPU memory now."""
    return {process.pid for gpu in SHARED.read(kept_seconds=0).gpus for process in gpu.processes}


def _device(gpu: Gpu) -> GpuFacts:
    return {
        "id": gpu.index,
        "name": gpu.name,
        "uuid": gpu.uuid,
        "memory_total_gb": gpu.memory_total,
        "memory_allocated_gb": gpu.memory_used,
        "memory_reserved_gb": gpu.memory_used,
        "usage_percent": gpu.use or 0.0,
        "temperature_c": gpu.temperature or 0.0,
        "power_w": gpu.power or 0.0,
        "clock_mhz": gpu.clock or 0.0,
        "users": [_user(process) for process in gpu.processes],
    }


def _user(process: GpuProcess) -> GpuUser:
    memory = round(process.memory, 2)
    return {"pid": process.pid, "name": process.name, "memory_gb": memory, "session": _session(process.pid)}


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None  # it has ended
