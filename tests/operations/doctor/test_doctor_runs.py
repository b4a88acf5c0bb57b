"""The doctor: runs against processes and workers."""

import socket
import sys
from datetime import timedelta

import pytest
from django.utils.timezone import now

from engine.launcher import EngineProcess
from operations.doctor.finding import LOOK, WRONG
from system.models import Worker
from system.worker_name import NameLock
from tests.making import make_run
from tests.operations.doctor.doctor_world import found_by, mend, told_run, writer
from tests.waiting import wait_for
from training.models import Metric, Run, RunCommand

pytestmark = pytest.mark.django_db
SLEEPER = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def a_data_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def gone():
    """A worker of this host that was killed a while ago."""
    facts = {"host": socket.gethostname(), "heartbeat_at": now() - timedelta(minutes=5)}
    return Worker.objects.create(name="gone:cpu", status=Worker.Status.BUSY, **facts)


@pytest.fixture
def start():
    """Start a process that looks like the engine process of a run's attempt."""
    started = []

    def start_one(run):
        command = [sys.executable, "-c", SLEEPER, str(run.attempt_folder)]
        started.append(EngineProcess.start(run.attempt_folder, {}, command, run.folder.parent, {}))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()


def runs():
    return found_by("Runs and processes")


def test_a_run_that_was_given_up_for_lost_is_wanted_while_its_process_lives(start):
    run = make_run(status=Run.Status.INTERRUPTED, error_reason="lost_worker")
    run.commands.create(attempt=1, kind="stop")
    assert runs() == []
    start(run)
    (finding,) = wait_for(runs)
    assert "is alive and trains" in finding.sentence and "kill" not in finding.cure


def test_a_run_without_process_and_worker_is_ended_as_a_worker_would(gone):
    run = told_run(status=Run.Status.RUNNING, worker=gone, retries=0, retries_left=0)
    writer(run).append("metrics", {"step": 9, "values": {"loss": 1.0}})
    (finding,) = runs()
    assert finding.level == WRONG and "neither a process nor a worker" in finding.sentence
    mend([finding])
    run.refresh_from_db()
    assert run.status == Run.Status.INTERRUPTED and run.error
    assert Metric.objects.filter(run=run, step=9).count() == 1


def test_a_run_that_trains_without_a_worker_is_reported_and_left_alone(gone, start):
    run = make_run(status=Run.Status.RUNNING, worker=gone)
    process = start(run)
    (finding,) = runs()
    assert finding.level == LOOK and finding.mend is None
    assert process.alive


def test_a_run_whose_worker_lives_is_none_of_the_doctor_s_business(gone):
    make_run(status=Run.Status.RUNNING, worker=gone)
    held = NameLock(gone.name)
    held.take()  # its database may be away just now
    assert runs() == []
    held.release()


def test_a_run_that_got_a_worker_in_between_is_not_repaired(gone):
    run = make_run(status=Run.Status.RUNNING, worker=gone)
    found = runs()
    Worker.objects.update(heartbeat_at=now())
    assert mend(found) == ["It was left alone, because a worker has it again."]
    run.refresh_from_db()
    assert run.status == Run.Status.RUNNING


def test_a_run_on_another_host_is_for_that_host_to_end():
    worker = Worker.objects.create(name="far", host="far", heartbeat_at=now() - timedelta(minutes=5))
    make_run(status=Run.Status.RUNNING, worker=worker)
    (finding,) = runs()
    assert "on another host" in finding.sentence and finding.mend is None


@pytest.mark.parametrize("leave", [Run.delete, lambda run: Run.objects.update(status=Run.Status.STOPPED)])
def test_a_process_without_a_run_is_reported_with_the_command_to_end_it(start, leave):
    run = make_run(status=Run.Status.RUNNING)
    process = start(run)
    leave(run)
    finding = wait_for(runs)[0]
    assert f"kill -- -{process.identity.pid}" in finding.cure
    assert finding.mend is None and process.alive


def test_a_command_without_a_process_is_reported_and_expires():
    run = make_run(status=Run.Status.FINISHED)
    command = run.commands.create(attempt=1, kind="backup")
    mend(runs())
    command.refresh_from_db()
    assert command.status == RunCommand.Status.EXPIRED
    assert runs() == []


def test_runs_that_wait_for_a_missing_worker_are_reported():
    make_run()
    assert "No worker is alive, and 1 run is waiting." in runs()[0].sentence
