"""What several tests of the worker share."""

from __future__ import annotations

import pytest

from tests.clock import SleptClock
from worker.gpu_worker import GpuWorker


@pytest.fixture
def clock():
    return SleptClock()


@pytest.fixture(autouse=True)
def without_a_hub(monkeypatch):
    """Runs of tests name a model of the hub that nobody fetches; `tests/worker/test_model_waits.py` has a hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def worker(clock):
    """One without a GPU, which leaves no training behind."""
    worker = GpuWorker("here:cpu", clock=clock)
    worker.heartbeat()
    yield worker
    if worker.following:
        worker.following.kill("killed", "")
