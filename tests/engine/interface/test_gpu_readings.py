"""A thread that keeps the newest reading of the GPU that a process trains on."""

from __future__ import annotations

import itertools
import json
import threading

from engine.interface.gpu_readings import GpuReadings
from engine.interface.reporting import Reporter
from tests.waiting import wait_for


def test_a_reading_is_reported_once_with_the_metrics_of_a_step(tmp_path):
    reporter = Reporter(tmp_path, lambda: {"gpu_percent": 97.0})
    reporter.readings.start()
    callbacks = reporter.callbacks()

    def reported():
        callbacks.on_metrics(1, {"loss": 0.5})
        lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
        return [line["data"]["values"] for line in lines if "gpu_percent" in line.get("data", {}).get("values", {})]

    assert wait_for(reported, what="a reading") == [{"loss": 0.5, "gpu_percent": 97.0}]
    assert reporter.readings.take() == {}
    reporter.readings.stop()


def test_readings_go_on_until_they_are_stopped():
    counter = itertools.count()
    readings = GpuReadings(lambda: {"gpu_percent": float(next(counter))}, seconds=0.01)
    readings.start()
    wait_for(lambda: readings.take().get("gpu_percent", 0) >= 2, what="the third reading")
    readings.stop()
    wait_for(lambda: "gpu readings" not in {thread.name for thread in threading.enumerate()}, what="the thread's end")


def test_a_process_without_a_gpu_has_no_readings_and_no_thread():
    readings = GpuReadings(lambda: None)
    readings.start()
    wait_for(lambda: "gpu readings" not in {thread.name for thread in threading.enumerate()}, what="the thread's end")
    assert readings.take() == {}
