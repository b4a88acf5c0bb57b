"""Readings of the GPU that this process trains on, from nvidia-smi: temperature, use, memory and power."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

SECONDS = 5  # between two readings
NAMES = ("gpu_temperature_c", "gpu_percent", "gpu_used_memory_gb", "gpu_power_w")
QUERY = "temperature.gpu,utilization.gpu,memory.used,power.draw"


class GpuReadings:
    """One nvidia-smi that keeps writing, and a thread that keeps its newest line; no readings without nvidia-smi."""

    def __init__(self) -> None:
        self._newest: dict[str, float] = {}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        program, device = shutil.which("nvidia-smi"), _device()
        if program is None or not device:
            return
        query = [f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
        command = [program, *query, "-l", str(SECONDS), "-i", device]
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return  # it is there but cannot be run: training works without it
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def take(self) -> dict[str, float]:
        """The values of a new reading by their metric's names; nothing until the next one."""
        newest, self._newest = self._newest, {}
        return newest

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            self._newest = read_line(line)


def read_line(line: str) -> dict[str, float]:
    """One line of nvidia-smi; it writes [N/A] for values that a card does not report."""
    values = {}
    for name, text in zip(NAMES, line.split(","), strict=False):
        try:
            values[name] = float(text) / (1024 if name == "gpu_used_memory_gb" else 1)
        except ValueError:
            continue
    return values


def _device() -> str:
    """The first device that CUDA may use: an index or a UUID, both of which nvidia-smi knows; empty for none."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
