"""What several tests of the worker share."""

from __future__ import annotations

import pytest

from worker.gpu_worker import GpuWorker


@pytest.fixture
def worker():
    """One without a GPU, which leaves no training behind."""
    worker = GpuWorker("here:cpu")
    worker._heartbeat()
    yield worker
    if worker.following:
        worker.following.kill("killed", "")
