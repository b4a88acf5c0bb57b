"""Readings of the GPU, from a program that writes as nvidia-smi does."""

from __future__ import annotations

import json
import os
import stat

from engine.interface.gpu_readings import GpuReadings, read_line
from engine.interface.reporting import Reporter
from tests.waiting import wait_for

PROGRAM = """#!/bin/sh
[ "$6" = GPU-1234 ] || exit 1
while true; do echo "61, 97, 10240, 285.50"; sleep 0.05; done
"""


def install(folder, monkeypatch, text=PROGRAM):
    program = folder / "nvidia-smi"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1234,GPU-5678")


def test_values_that_a_card_does_not_report_are_left_out():
    assert read_line("61, 97, 10240, 285.5\n") == {
        "gpu_temperature_c": 61.0,
        "gpu_percent": 97.0,
        "gpu_used_memory_gb": 10.0,
        "gpu_power_w": 285.5,
    }
    assert read_line("[N/A], 5, [N/A], [N/A]") == {"gpu_percent": 5.0}
    assert read_line("") == {}


def test_each_reading_is_reported_once_with_the_metrics_of_a_step(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch)
    reporter = Reporter(tmp_path)
    reporter.readings.start()
    callbacks = reporter.callbacks()

    def told():
        callbacks.on_metrics(1, {"loss": 0.5})
        lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
        return [line["data"]["values"] for line in lines if "gpu_percent" in line.get("data", {}).get("values", {})]

    values = wait_for(told, what="a reading")[0]
    assert (values["loss"], values["gpu_temperature_c"], values["gpu_used_memory_gb"]) == (0.5, 61, 10)
    assert "gpu_percent" in values and values["gpu_power_w"] == 285.5
    reporter.readings.stop()


def test_a_machine_without_a_gpu_has_no_readings(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    readings = GpuReadings()
    readings.start()
    assert readings.take() == {}
    readings.stop()
