"""The GPUs: those that the driver and PyTorch see, and which processes hold their memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from engine.gpus import SHARED
from engine.guest.environment import of_engine
from operations.doctor.finding import Asked, Finding, counted, fine, look_at, note, wrong
from operations.doctor.orphans import engine_folder, has_active_run
from system.gpus import GpuFacts, gpus

TORCH_SECONDS = 120  # the first import on a slow disk takes a while
# In a separate process: importing torch may fail, and would fill this process's memory.
PROBE = """
import json, torch
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] if cuda else []
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "devices": names}))
"""


def look(asked: Asked) -> Iterator[Finding]:
    devices = gpus()
    yield from _driver(devices)
    asked.beat()
    yield from _torch(devices)
    asked.beat()
    yield from _holders(devices)


def _driver(devices: list[GpuFacts]) -> Iterator[Finding]:
    if not SHARED.read().has_driver:
        yield note("This host has no NVIDIA driver, so trainings use the CPU.")
    elif not devices:
        cure = "run nvidia-smi to see why: often the driver needs a reboot"
        yield wrong("NVIDIA's driver is installed and shows no GPU.", cure)
    for device in devices:
        used, total = device["memory_allocated_gb"], device["memory_total_gb"]
        yield fine(f"GPU {device['id']}: {device['name']}, {used:.1f} of {total:.1f} GiB in use.")


def _torch(devices: list[GpuFacts]) -> Iterator[Finding]:
    try:
        command = [sys.executable, "-c", PROBE]
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=TORCH_SECONDS, check=True, env=of_engine()
        )
        facts = json.loads(answer.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield wrong(f"PyTorch cannot be imported: {last[:200]}.", "run `make setup`")
        return
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        yield wrong(f"PyTorch could not be tried ({type(error).__name__}).", "run `make setup`, or look at the disk")
        return
    sentence = f"PyTorch {facts['version']} sees {counted(len(facts['devices']), 'GPU')}."
    if devices and not facts["devices"]:
        cure = "install the PyTorch that fits the driver's CUDA version"
        yield wrong(f"{sentence} The driver shows {len(devices)}.", cure)
    else:
        yield fine(sentence)


def _holders(devices: list[GpuFacts]) -> Iterator[Finding]:
    """Engine processes that hold GPU memory and train no active run."""
    for user in (user for device in devices for user in device["users"]):
        folder = engine_folder(user["pid"])
        if folder is not None and not has_active_run(folder):
            sentence = f"Process {user['pid']} holds {user['memory_gb']:.1f} GiB of a GPU for an ended training."
            yield look_at(sentence, f"end it: kill -- -{user['pid']}")
