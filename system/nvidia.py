"""This host's GPUs and the processes on them, from nvidia-smi. Without torch, since the web process uses this too."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

DEVICE_FIELDS = "index,name,uuid,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw,clocks.sm"
USER_FIELDS = "gpu_uuid,pid,used_memory,process_name"
PATIENCE = 10  # seconds


def is_there() -> bool:
    return shutil.which("nvidia-smi") is not None


def read_devices() -> list[dict[str, Any]]:
    """Each GPU with its use and its processes; an empty list if there is no GPU, or nvidia-smi fails."""
    users = _users()
    devices = [_device(row) for row in _ask(f"--query-gpu={DEVICE_FIELDS}")]
    return [{**device, "users": users.get(device["uuid"], [])} for device in devices]


def _ask(query: str) -> list[list[str]]:
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []  # a driver without a GPU, or while it is being reset
    return [[part.strip() for part in line.split(",")] for line in answer.splitlines() if "," in line]


def _device(values: list[str]) -> dict[str, Any]:
    index, name, uuid, total, used, busy, temperature, power, clock = values[:9]
    return {
        "id": int(index),
        "name": name,
        "uuid": uuid,
        "memory_total_gb": _number(total) / 1024,
        "memory_allocated_gb": _number(used) / 1024,
        "memory_reserved_gb": _number(used) / 1024,
        "usage_percent": _number(busy),
        "temperature_c": _number(temperature),
        "power_w": _number(power),
        "clock_mhz": _number(clock),
    }


def _users() -> dict[str, list[dict[str, Any]]]:
    """The processes that hold a GPU's memory, by the GPU's uuid; in a container none may be visible."""
    by_gpu: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _ask(f"--query-compute-apps={USER_FIELDS}"):
        if len(row) >= 4 and row[1].isdecimal():
            pid, name = int(row[1]), Path(",".join(row[3:])).name
            memory = round(_number(row[2]) / 1024, 2)
            by_gpu[row[0]].append({"pid": pid, "name": name, "memory_gb": memory, "session": _session(pid)})
    return by_gpu


def _session(pid: int) -> int | None:
    """The process's session: a training and its child processes share one, with the training's pid as its id."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _number(text: str) -> float:
    """nvidia-smi writes [N/A] for values that a GPU does not report."""
    try:
        return float(text)
    except ValueError:
        return 0.0
