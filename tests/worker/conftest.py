"""What several tests of the worker share."""

from __future__ import annotations

import pytest

from tests.clock import SleptClock
from worker.gpu_worker import GpuWorker


@pytest.fixture
def clock():
    return SleptClock()


@pytest.fixture
def worker(clock):
    """One without a GPU, which leaves no training behind."""
    worker = GpuWorker("here:cpu", clock=clock)
    worker.heartbeat()
    yield worker
    if worker.following:
        worker.following.kill("killed", "")
