"""A training on several GPUs: its processes meet at their own port, and end together in every case."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.onetrainer.conftest import only_standin
from tests.waiting import wait_for

FOREVER = 100_000
pytestmark = only_standin("it needs several GPUs")


@pytest.fixture
def start(start):
    def start_on_several(devices="0,1,2", **changes):
        return start(multi_gpu=True, device_indexes=devices, **changes)

    return start_on_several


@pytest.fixture
def others(tmp_path):
    """(pid, port, backup) of each additional process of the attempt, once it is there."""

    def others(count=2):
        folder = tmp_path / "workspace/gpus"
        files = [folder / str(rank) for rank in range(1, count + 1)]
        wait_for(lambda: all(file.exists() for file in files), what="the further processes")
        return [file.read_text().split(" ") for file in files]

    return others


def are_gone(others):
    wait_for(lambda: not any(lives(int(pid)) for pid, *_ in others), what="the end of the additional processes")


def lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_all_processes_have_one_port_of_their_own_and_end_with_the_training(start, others):
    attempt = start().wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    ports = {port for _, port, _ in others()}
    assert len(ports) == 1 and ports != {"12355"}
    are_gone(others())


def test_the_processes_end_when_the_first_is_killed(start, others):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    found = others()
    os.kill(attempt.process.identity.pid, signal.SIGKILL)
    are_gone(found)


def test_the_processes_end_with_a_failed_training_without_anyone_waiting(start, others):
    attempt = start(learning_rate=1e30).wait()
    assert attempt.data("failed")[0]["reason"] == "nan", attempt.log
    are_gone(others())


def test_a_stop_ends_all_processes(start, others):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    found = others()
    attempt.send("stop")
    attempt.wait()
    assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
    are_gone(found)


def test_the_death_of_one_process_fails_the_training(start, others):
    attempt = start(devices="0,9,2", epochs=FOREVER).wait()
    assert "another GPU ended early (exit status 1)" in attempt.data("failed")[0]["message"]
    are_gone(others())


def test_all_processes_resume_from_the_chosen_backup(start, others, tmp_path):
    backup = start().wait().artifacts("backup")[0]
    (tmp_path / "workspace/gpus/1").unlink()
    start(resume_from=backup, epochs=3).wait()
    assert others(1)[0][2] == str(backup)


def test_a_training_on_several_gpus_refuses_to_pause(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    attempt.send("pause")
    assert "several GPUs" in attempt.wait_for("command_refused", id="pause")["detail"]
