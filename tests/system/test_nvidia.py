"""Readings from nvidia-smi, which is replaced by a program that prints the output of a real one."""

from __future__ import annotations

import os

import pytest

from system import nvidia, resources

TWO_CARDS = """\
0, NVIDIA GeForce RTX 4090, GPU-aaaa, 24564, 10240, 97, 64, 318.52, 2520
1, NVIDIA A100-SXM4-80GB, GPU-bbbb, 81920, 0, 0, 31, [N/A], [Not Supported]
"""
USERS = """\
GPU-aaaa, {pid}, 9216, /home/ada/a, b/python3
GPU-aaaa, 4194305, 512, /usr/bin/blender
GPU-aaaa, [N/A], [N/A], [Insufficient Permissions]
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Have nvidia-smi print these answers, or fail."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def use(devices: str, users: str = "", code: int = 0) -> None:
        (tmp_path / "devices").write_text(devices)
        (tmp_path / "users").write_text(users)
        program = tmp_path / "nvidia-smi"
        answer = f'case "$1" in *query-gpu*) cat {tmp_path}/devices;; *) cat {tmp_path}/users;; esac'
        program.write_text(f"#!/bin/sh\n{answer}\nexit {code}\n")
        program.chmod(0o755)
        resources._devices_at.cache_clear()

    yield use
    resources._devices_at.cache_clear()


def test_each_gpu_is_read_with_its_numbers(nvidia_smi):
    nvidia_smi(TWO_CARDS)
    first, second = nvidia.read_devices()
    assert (first["id"], first["name"], first["memory_total_gb"]) == (0, "NVIDIA GeForce RTX 4090", 24564 / 1024)
    assert (first["memory_allocated_gb"], first["usage_percent"], first["temperature_c"]) == (10.0, 97, 64)
    assert (first["power_w"], first["clock_mhz"]) == (318.52, 2520)
    assert (second["power_w"], second["clock_mhz"]) == (0, 0), "values that a GPU does not report"


def test_the_processes_on_a_gpu_are_listed_with_their_sessions(nvidia_smi):
    nvidia_smi(TWO_CARDS, USERS.format(pid=os.getpid()))
    first, second = nvidia.read_devices()
    assert [(user["pid"], user["name"], user["memory_gb"], user["session"]) for user in first["users"]] == [
        (os.getpid(), "python3", 9.0, os.getsid(0)),
        (4194305, "blender", 0.5, None),
    ]
    assert second["users"] == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [("", 0), ("No devices were found\n", 0), ("NVIDIA-SMI has failed, because the driver is not there.\n", 9)],
)
def test_a_driver_without_a_gpu_gives_no_gpus(nvidia_smi, answer, code):
    nvidia_smi(answer, answer, code)
    assert nvidia.read_devices() == []


def test_the_api_and_the_workers_report_the_same_gpu(nvidia_smi, client, db):
    nvidia_smi(TWO_CARDS, USERS.format(pid=os.getpid()))
    info, told = resources.host_info(), resources.worker_resources()
    assert info["gpu"]["count"] == 2
    assert [gpu["clock_mhz"] for gpu in told["gpus"]] == [2520, 0]
    assert told["gpus"][0]["users"][1]["name"] == "blender"
