"""The reader of GPUs, with a stand-in for NVIDIA's driver."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pynvml
import pytest
from django.conf import settings

from engine.gpus import PYNVML_FILE, GpuProcess, GpuReading, SharedReader, read, read_metrics
from tests.needs import needs_cc
from tests.nvml import GPU, SECOND_GPU
from tests.waiting import wait_for

LONG = 3600  # seconds; longer than a test
OF_ONETRAINER = """
import sys
sys.path.append(".")
assert "pynvml" not in sys.modules
from engine.onetrainer.driver import gpu_reader
print(gpu_reader()())
"""


@pytest.fixture
def hanging(nvidia_driver):
    """Have the driver hang until its answers are written."""
    nvidia_driver.answers.unlink()
    os.mkfifo(nvidia_driver.answers)
    return nvidia_driver


@needs_cc
def test_a_value_that_a_gpu_does_not_report_is_none(nvidia_driver):
    nvidia_driver.say(GPU, SECOND_GPU)
    first, second = read().gpus
    assert (first.memory_total, first.memory_used, first.power) == (24564 / 1024, 10.0, 318.52)
    assert (second.use, second.power, second.clock) == (0.0, None, None)


@needs_cc
def test_a_lost_gpu_does_not_hide_the_others(nvidia_driver):
    nvidia_driver.say("gpu|lost|-", SECOND_GPU)
    assert [(gpu.index, gpu.uuid) for gpu in read().gpus] == [(1, "GPU-bbbb")]


@needs_cc
def test_a_process_whose_name_is_gone_is_listed(nvidia_driver):
    nvidia_driver.say(GPU, "use|0|7|512")
    assert read().gpus[0].processes == (GpuProcess(7, "[Not Found]", 0.5),)


@needs_cc
def test_a_driver_that_fails_is_there_and_has_no_gpu(nvidia_driver):
    nvidia_driver.answers.unlink()
    assert read() == GpuReading(has_driver=True)


def test_a_host_without_a_driver_has_no_gpu(monkeypatch):
    def not_there(name):
        raise OSError(name)

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", not_there)
    assert read() == GpuReading(has_driver=False)
    assert read_metrics() is None


@needs_cc
@pytest.mark.parametrize(
    ("chosen", "percent"), [("0", 97), ("1,0", 0), ("GPU-bbbb,GPU-aaaa", 0), ("GPU-a", 97), (None, 97)]
)
def test_a_training_reads_the_first_gpu_that_cuda_may_use(nvidia_driver, monkeypatch, chosen, percent):
    nvidia_driver.say(GPU, SECOND_GPU)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert read_metrics()["gpu_percent"] == percent


@needs_cc
@pytest.mark.parametrize("chosen", ["", "-1", "2", "GPU-c", "MIG-aaaa"])
def test_a_training_that_may_use_no_gpu_reads_none(nvidia_driver, monkeypatch, chosen):
    nvidia_driver.say(GPU, SECOND_GPU)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert read_metrics() is None


@needs_cc
def test_values_that_a_gpu_does_not_report_are_no_metrics(nvidia_driver, monkeypatch):
    nvidia_driver.say(GPU, SECOND_GPU)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert read_metrics() == {"gpu_temperature_c": 31.0, "gpu_percent": 0.0, "gpu_used_memory_gb": 0.0}


def read_by_onetrainer(environment):
    """What OneTrainer's driver reads in a Python that has none of the site's packages."""
    command = [sys.executable, "-S", "-c", OF_ONETRAINER]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, check=True, capture_output=True, text=True
    ).stdout


@needs_cc
def test_the_python_of_onetrainer_reads_its_gpu_with_the_pynvml_of_the_site(nvidia_driver):
    nvidia_driver.say(GPU)
    environment = {**nvidia_driver.environment, "PYNVML_FILE": PYNVML_FILE, "CUDA_VISIBLE_DEVICES": "0"}
    answer = read_by_onetrainer(environment)
    assert "'gpu_temperature_c': 64.0" in answer and "'gpu_power_w': 318.52" in answer


@pytest.mark.parametrize("file", ["", "/no/such/pynvml.py"])
def test_onetrainer_trains_without_readings_if_there_is_no_pynvml(file):
    assert read_by_onetrainer({"PYNVML_FILE": file}) == "None\n"


@needs_cc
def test_while_a_driver_hangs_there_is_no_gpu_and_one_thread_waits(hanging):
    reader = SharedReader(hangs_after=0.05)
    assert [reader.read(kept_seconds=0) for _ in range(3)] == [GpuReading(has_driver=True)] * 3
    assert [thread.name for thread in threading.enumerate()].count("gpus") == 1
    hanging.answers.write_text(GPU)
    assert wait_for(lambda: reader.read(LONG).gpus, what="the reading")[0].uuid == "GPU-aaaa"


@needs_cc
def test_a_reading_is_kept_for_a_moment(nvidia_driver):
    reader = SharedReader()
    nvidia_driver.say(GPU)
    assert len(reader.read(LONG).gpus) == 1
    nvidia_driver.say(GPU, SECOND_GPU)
    assert len(reader.read(LONG).gpus) == 1
    assert len(reader.read(kept_seconds=0).gpus) == 2
