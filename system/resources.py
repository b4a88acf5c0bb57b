"""The host's resources and their use. Without torch, since the web process uses this too."""

from __future__ import annotations

import functools
import platform
import socket
import time

import psutil
from django.conf import settings

from engine.interface.json_types import JsonObject
from system import disk
from system.gpus import gpus

GIB = 1024**3
CPU_INTERVAL = 0.1  # seconds
OF_GPU = (
    *("id", "name", "memory_total_gb", "memory_allocated_gb", "usage_percent", "temperature_c", "power_w"),
    *("clock_mhz", "users"),
)


def host_info() -> JsonObject:
    """The system page's facts; the keys are those of `/api/system/info`."""
    return {
        "os": {
            "name": platform.system(),
            "version": platform.release(),
            "platform": platform.platform(),
            "hostname": socket.gethostname(),
            "python": platform.python_version(),
        },
        "cpu": {"count": psutil.cpu_count() or 1, "usage_percent": cpu_percent()},
        "memory": _memory(),
        "disk": _disk(),
        "gpu": _gpu(),
    }


def host_resources() -> JsonObject:
    """The numbers that change; the keys are those of `/api/system/resources`."""
    return {
        "cpu_percent": cpu_percent(),
        "memory_percent": psutil.virtual_memory().percent,
        "disk_percent": _disk()["usage_percent"],
        "gpu_memory": [
            {
                "device": device["id"],
                "allocated_percent": round(100 * device["memory_allocated_gb"] / device["memory_total_gb"], 1),
                "reserved_percent": round(100 * device["memory_reserved_gb"] / device["memory_total_gb"], 1),
            }
            for device in gpus()
        ],
    }


def worker_resources() -> JsonObject:
    """The same with the totals, as a worker reports them with each heartbeat."""
    devices = [{key: value for key, value in device.items() if key in OF_GPU} for device in gpus()]
    facts = {"cpu_count": psutil.cpu_count() or 1, "memory_total_gb": _memory()["total_gb"], "gpus": devices}
    return {**host_resources(), **facts, "disk": disk.WATCH.read()}


def cpu_percent() -> float:
    """The use of all cores in percent, measured anew each second."""
    return _measure_cpu(int(time.monotonic()))


@functools.lru_cache(maxsize=1)
def _measure_cpu(moment: int) -> float:
    return psutil.cpu_percent(
        CPU_INTERVAL
    )  # without an interval it is 0 in each new thread, such as those of web requests


def process_info(pid: int) -> JsonObject | None:
    """The training process; None if it does not exist."""
    try:
        process = psutil.Process(pid)
        used = process.cpu_percent(CPU_INTERVAL)  # outside oneshot(), which would read the same times twice
        with process.oneshot():
            return {
                "pid": pid,
                "cpu_percent": used,
                "memory_percent": round(process.memory_percent(), 2),
                "memory_mb": round(process.memory_info().rss / 1024**2, 1),
                "num_threads": process.num_threads(),
                "status": process.status(),
            }
    except psutil.NoSuchProcess:
        return None


def _memory() -> dict[str, float]:
    memory = psutil.virtual_memory()
    return {
        "total_gb": round(memory.total / GIB, 2),
        "used_gb": round((memory.total - memory.available) / GIB, 2),
        "available_gb": round(memory.available / GIB, 2),
        "usage_percent": memory.percent,
    }


def _disk() -> dict[str, float]:
    disk = psutil.disk_usage(str(settings.DATA_DIR))
    return {
        "total_gb": round(disk.total / GIB, 2),
        "used_gb": round(disk.used / GIB, 2),
        "free_gb": round(disk.free / GIB, 2),
        "usage_percent": disk.percent,
    }


def disk_of_data() -> JsonObject:
    """The data folder's disk in bytes, and its use in percent."""
    usage = psutil.disk_usage(str(settings.DATA_DIR))
    return {"total": usage.total, "free": usage.free, "percent": usage.percent}


def _gpu() -> JsonObject:
    devices = gpus()
    return {"available": bool(devices), "count": len(devices), "devices": devices}
