"""A stand-in for NVIDIA's driver: its library libnvidia-ml.so.1, compiled from nvml.c."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

import pynvml
import pytest

from engine.gpus import SHARED

SOURCE = Path(__file__).with_name("nvml.c")
GPU = "gpu|NVIDIA GeForce RTX 4090|GPU-aaaa|24564|10240|97|64|318520|2520"
SECOND_GPU = "gpu|NVIDIA A100-SXM4-80GB|GPU-bbbb|81920|0|0|31|-|-"


class Driver:
    """Processes that are started in its environment find its library; `say` changes what it answers to all of them."""

    def __init__(self, folder: Path):
        self.library = folder / "libnvidia-ml.so.1"
        self.answers = folder / "answers"
        self.environment = {"LD_LIBRARY_PATH": str(folder), "NVML_ANSWERS": str(self.answers)}

    def install(self) -> None:
        subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", self.library, SOURCE], check=True)

    def say(self, *lines: str) -> None:
        """Answer with these lines, in one step for those who read meanwhile."""
        beside = self.answers.with_suffix(".new")
        beside.write_text("\n".join(lines))
        beside.rename(self.answers)
        SHARED.read(kept_seconds=0)


@pytest.fixture
def nvidia_driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A driver that this process finds, too; it has no GPU before it says so."""
    driver = Driver(tmp_path_factory.mktemp("driver"))
    driver.install()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pynvml, "nvmlLib", CDLL(os.fspath(driver.library)))
        patch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        patch.setenv("NVML_ANSWERS", str(driver.answers))
        driver.say()
        yield driver
    SHARED.read(kept_seconds=0)
