"""Attempts that are forked from a template that has OneTrainer imported, in OneTrainer's own Python."""

from __future__ import annotations

import psutil
import pytest

from engine.engines import ROOT
from engine.warm import Origin, Templates
from tests.onetrainer.attempts import Attempt, environment
from tests.onetrainer.conftest import only_standin

FOREVER = 100_000


@pytest.fixture
def template(checkout):
    templates = Templates()
    origin = Origin(checkout.python, "onetrainer", ROOT, environment(checkout))
    yield templates.ready(origin, lambda: True)
    templates.end()


@pytest.fixture
def fork(checkout, template, tmp_path, config):
    """Start the driver on the config with changes, as a fork of the template."""
    started = []

    def fork(**changes):
        folder = tmp_path / f"attempt{len(started)}"
        started.append(Attempt(checkout, folder, config | changes, template=template))
        return started[-1]

    yield fork
    for attempt in started:
        attempt.process.kill()


def test_each_attempt_trains_in_a_fork_of_the_same_template(fork, template):
    for _ in range(2):
        attempt = fork(epochs=FOREVER).wait_for_steps(1)
        assert psutil.Process(attempt.process.identity.pid).ppid() == template.pid
        attempt.send("stop")
        attempt.wait()
        assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
        assert attempt.process.exit_code == 0


@only_standin("this test needs several GPUs")
def test_a_fork_starts_the_processes_of_additional_gpus(fork, tmp_path):
    attempt = fork(multi_gpu=True, device_indexes="0,1").wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    assert (tmp_path / "workspace/gpus/1").exists()
