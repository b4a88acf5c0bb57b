"""The GPUs of this host as pages and the API show them, read from a stand-in for NVIDIA's driver."""

from __future__ import annotations

import os

from system import resources
from system.gpus import gpu_processes, gpus
from tests.needs import needs_cc
from tests.nvml import GPU, SECOND_GPU

pytestmark = needs_cc
USERS = (f"use|0|{os.getpid()}|9216|/home/ada/a, b/python3", "use|0|4194305|512|/usr/bin/blender")


def test_a_gpu_has_its_readings_and_0_for_a_value_that_it_does_not_report(nvidia_driver):
    nvidia_driver.say(GPU, SECOND_GPU)
    first, second = gpus()
    assert (first["id"], first["name"], first["memory_total_gb"]) == (0, "NVIDIA GeForce RTX 4090", 24564 / 1024)
    assert (first["memory_allocated_gb"], first["usage_percent"], first["temperature_c"]) == (10.0, 97, 64)
    assert (first["power_w"], first["clock_mhz"]) == (318.52, 2520)
    assert (second["power_w"], second["clock_mhz"]) == (0, 0)


def test_a_process_on_a_gpu_has_its_name_and_session(nvidia_driver):
    nvidia_driver.say(GPU, SECOND_GPU, *USERS)
    first, second = gpus()
    assert [(user["pid"], user["name"], user["memory_gb"], user["session"]) for user in first["users"]] == [
        (os.getpid(), "python3", 9.0, os.getsid(0)),
        (4194305, "blender", 0.5, None),
    ]
    assert second["users"] == []


def test_the_processes_that_hold_gpu_memory_are_read_anew_each_time(nvidia_driver):
    nvidia_driver.say(GPU, *USERS)
    assert gpu_processes() == {os.getpid(), 4194305}
    nvidia_driver.answers.write_text(GPU)
    assert gpu_processes() == set()


def test_the_api_and_the_workers_report_the_same_of_a_gpu(nvidia_driver):
    nvidia_driver.say(GPU, SECOND_GPU, *USERS)
    info, of_worker = resources.host_info(), resources.worker_resources()
    assert info["gpu"]["count"] == 2
    assert [gpu["clock_mhz"] for gpu in of_worker["gpus"]] == [2520, 0]
    assert of_worker["gpus"][0]["users"][1]["name"] == "blender"
