"""Facts from this site for the wizard: the workers' devices and their speed in earlier runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

import psutil

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from system.gpus import gpus
from system.models import Worker
from system.resources import GIB
from training.models import Run
from training.wizard.families import Device, Family

RUNS_READ = 30


def devices() -> list[Device]:
    """Each kind of device that a worker has, the largest first; this host's own if no worker is connected."""
    found = {device: None for worker in Worker.objects.alive() for device in _of_worker(worker)}
    return sorted(found, key=lambda device: (-device.is_gpu, -device.memory)) or _of_this_host()


def _of_worker(worker: Worker) -> Iterator[Device]:
    facts = worker.resources
    if not worker.gpu:
        yield Device("cpu", facts.get("memory_total_gb", 0.0), worker.device_name, facts.get("cpu_count", 1))
    for gpu in facts.get("gpus", []):
        if str(gpu["id"]) in worker.gpu.split(","):
            yield Device("cuda", round(gpu["memory_total_gb"], 1), gpu["name"])


def _of_this_host() -> list[Device]:
    own = [Device("cuda", round(gpu["memory_total_gb"], 1), gpu["name"]) for gpu in gpus()]
    return own or [Device("cpu", round(psutil.virtual_memory().total / GIB, 1), "CPU", psutil.cpu_count() or 1)]


def measured_seconds(device: Device, family: Family, engine: str) -> dict[int, float]:
    """Median seconds per picture in earlier runs of this family on this type of device, by resolution."""
    runs = Run.objects.filter(
        engine=engine,
        worker__device_name=device.name,
        progress__steps_per_second__gt=0,
        config__model_type=family.model_type,
        config__training_method="LORA",
    )
    figures: dict[int, list[float]] = defaultdict(list)
    for config, speed in runs.order_by("-created_at").values_list("config", "progress__steps_per_second")[:RUNS_READ]:
        if side := _side(config):
            figures[side].append(1 / ((speed or 1) * max(1, keys_of(config).get("batch_size") or 1)))
    return {side: median(seconds) for side, seconds in figures.items()}


def _side(config: JsonObject) -> int | None:
    """The run's resolution; None if it had several or is not square."""
    text = str(keys_of(config).get("resolution", ""))
    return int(text) if text.isdecimal() else None
