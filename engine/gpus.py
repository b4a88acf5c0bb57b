"""The one reader of GPUs: asks NVIDIA's driver through its library NVML, without torch.

Runs in the site and in the processes of both engines, OneTrainer's own Python included.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml

GIB = 1024**3
PYNVML_FILE = str(pynvml.__file__)  # a single file that needs the standard library alone
HANGS_AFTER = 10.0  # seconds that a caller waits for the driver
KEPT_SECONDS = 2.0  # a reading is kept this long, because it takes some 50 ms
FIELD_OF_METRIC = {
    "gpu_temperature_c": "temperature",
    "gpu_percent": "use",
    "gpu_used_memory_gb": "memory_used",
    "gpu_power_w": "power",
}


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory of a GPU."""

    pid: int
    name: str
    memory: float  # GiB


@dataclass(frozen=True)
class Gpu:
    """The state of one GPU; None for a value that the GPU does not report."""

    index: int
    name: str
    uuid: str
    memory_total: float  # GiB
    memory_used: float  # GiB
    use: float | None  # percent
    temperature: float | None  # degrees Celsius
    power: float | None  # watts
    clock: float | None  # MHz
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True)
class GpuReading:
    """The state of all GPUs at one moment."""

    has_driver: bool
    gpus: tuple[Gpu, ...] = ()


def read() -> GpuReading:
    """Every GPU of this host that can be read; waits for as long as the driver hangs."""
    try:
        with _driver():
            return GpuReading(True, tuple(_gpu(index, handle) for index, handle in _handles()))
    except pynvml.NVMLError as error:
        return GpuReading(has_driver=error.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


def read_metrics() -> dict[str, float] | None:
    """The metrics of the GPU that this process trains on; None if it has no GPU.

    That is the first device of CUDA_VISIBLE_DEVICES: an index, or the beginning of a UUID.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    gpu = next((gpu for gpu in read().gpus if _is_chosen(gpu, chosen)), None)
    if gpu is None:
        return None
    values = {metric: getattr(gpu, field) for metric, field in FIELD_OF_METRIC.items()}
    return {metric: value for metric, value in values.items() if value is not None}


def _is_chosen(gpu: Gpu, chosen: str) -> bool:
    return chosen == str(gpu.index) or (chosen.startswith("GPU-") and gpu.uuid.startswith(chosen))


@contextmanager
def _driver() -> Iterator[None]:
    """Opened for each reading, so that a driver is found again after its update or reset."""
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _handles() -> Iterator[tuple[int, Any]]:
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            yield index, pynvml.nvmlDeviceGetHandleByIndex(index)
        except pynvml.NVMLError:
            continue  # this GPU is lost or being reset; the others can be read


def _gpu(index: int, handle: Any) -> Gpu:
    total, used = _memory(handle)
    power = _reported(lambda: pynvml.nvmlDeviceGetPowerUsage(handle))
    return Gpu(
        index=index,
        name=pynvml.nvmlDeviceGetName(handle),
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        memory_total=total / GIB,
        memory_used=used / GIB,
        use=_reported(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        temperature=_reported(lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        power=None if power is None else power / 1000,
        clock=_reported(lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
        processes=tuple(_processes(handle)),
    )


def _memory(handle: Any) -> tuple[int, int]:
    """Total and used bytes; 0 if the GPU shares the memory of the machine and reports none of its own."""
    try:
        # the first version of this structure counts the driver's own memory as used
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    except pynvml.NVMLError:
        return 0, 0
    return memory.total, memory.used


def _reported(ask: Callable[[], float]) -> float | None:
    """None for what a GPU does not report: some have no power meter, and a GPU in MIG mode has no use in percent."""
    try:
        return float(ask())
    except pynvml.NVMLError:
        return None


def _processes(handle: Any) -> Iterator[GpuProcess]:
    """A container may see no process, or not be permitted to ask."""
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return
    for process in processes:
        yield GpuProcess(process.pid, _name(process.pid), (process.usedGpuMemory or 0) / GIB)


def _name(pid: int) -> str:
    try:
        return Path(pynvml.nvmlSystemGetProcessName(pid)).name
    except (pynvml.NVMLError, UnicodeDecodeError):
        return "[Not Found]"  # the process has ended, or its name is cut off within a letter


class SharedReader:
    """Reads the GPUs in a thread, so that a driver that hangs blocks no caller for long.

    All callers share one reading at a time. While it hangs, there is a driver without a GPU.
    """

    def __init__(self, hangs_after: float = HANGS_AFTER) -> None:
        self._hangs_after = hangs_after
        self._lock = threading.Lock()
        self._newest: _ReadingThread | None = None

    def read(self, kept_seconds: float = KEPT_SECONDS) -> GpuReading:
        """The newest reading, taken at most `kept_seconds` ago."""
        thread = self._thread(kept_seconds)
        thread.join(max(0.0, thread.started_at + self._hangs_after - time.monotonic()))
        return thread.reading

    def _thread(self, kept_seconds: float) -> _ReadingThread:
        with self._lock:
            if self._newest is None or self._newest.is_older_than(kept_seconds):
                self._newest = _ReadingThread()
                self._newest.start()
            return self._newest


class _ReadingThread(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="gpus", daemon=True)
        self.started_at = time.monotonic()
        self.reading = GpuReading(has_driver=True)

    def run(self) -> None:
        self.reading = read()

    def is_older_than(self, seconds: float) -> bool:
        """Whether it has ended, and began more than `seconds` ago: while it hangs, there is no second one."""
        return not self.is_alive() and time.monotonic() - self.started_at > seconds


SHARED = SharedReader()
