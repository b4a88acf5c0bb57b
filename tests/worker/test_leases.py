"""Workers on hosts that vanish, and the fence between two attempts."""

import sys
from dataclasses import replace

import psutil
import pytest
from django.utils.timezone import now

from engine.builtin.training.checkpoint import write_backup
from engine.engines import ENGINES
from engine.interface import fence
from engine.interface.progress import TrainProgress
from engine.launcher import EngineProcess
from system.models import Worker
from tests.engine.records import rewrite_record
from tests.making import make_run
from tests.waiting import wait_for
from training.models import Artifact, Run, RunCommand, RunProgress
from training.progress.state import state_of
from training.queue.board import read_queue
from training.runs.service import TrainerService
from worker import postmortem
from worker.gpu_worker import GpuWorker
from worker.leases import LeaseWatch, declare_lost

pytestmark = pytest.mark.django_db
Status = Run.Status
ENGINE = """
import os, sys, pathlib, time
sys.path.insert(0, os.getcwd())
from engine.interface import fence
fence.LOOK_SECONDS = 0.1
from engine.interface.reporting import Reporter
reporter = Reporter(pathlib.Path(sys.argv[1]))
reporter.start()
while not (pathlib.Path(sys.argv[1]) / "end").exists():
    time.sleep(0.05)
reporter.run(lambda: "finished")
"""


@pytest.fixture
def hosts(monkeypatch, settings, clock):
    """Workers by the name of their host; what they started is killed in the end."""
    command = [sys.executable, "-c", ENGINE]
    engine = replace(ENGINES["builtin"], command=lambda folder: [*command, str(folder)], package="")
    monkeypatch.setitem(ENGINES, "builtin", engine)
    made = []

    def make(host):
        settings.HOST_NAME = host
        worker = GpuWorker(f"{host}:cpu", clock=clock)
        worker.heartbeat()
        made.append(worker)
        return worker

    yield make
    for worker in made:
        if worker.following:
            worker.following.kill("killed", "")


@pytest.fixture
def training(hosts):
    """A worker on the host alpha with a run that trains."""
    worker = hosts("alpha")
    make_run()
    worker.following = worker.claim_next()
    wait_for(lambda: worker.following.step(False) and worker.following.run.status == Status.RUNNING)
    return worker


@pytest.fixture
def unseen(training, monkeypatch):
    """The run's process looks as if it were on another machine, whose processes are not to be seen here."""
    rewrite_record(training.following.run.attempt_folder, boot="another machine's", host="alpha")
    monkeypatch.setattr("worker.fencing.kill_all_of", lambda folder: [])


def back_up(run, step):
    """A backup of one file, as the built-in trainer writes them."""
    progress = TrainProgress(global_step=step)
    path = write_backup(run.folder / "backup", progress, {}, lambda folder: (folder / "weights").write_bytes(b"w" * 99))
    facts = {"attempt": run.attempt, "sequence": step, "global_step": step}
    run.artifacts.create(kind=Artifact.Kind.BACKUP, path=str(path), **facts)
    return str(path)


def everybody():
    return set(Worker.objects.values_list("pk", flat=True))


def after_the_lease(clock, watch):
    """What the watch says when nothing was heard for as long as a lease lasts, though it looked all the while."""
    for _look in range(12):
        silent = watch.silent()
        clock.sleep(2)
    return silent


def test_a_worker_is_silent_when_its_lease_is_over_whatever_its_clock_says(hosts, clock):
    hosts("alpha")
    Worker.objects.update(heartbeat_at=now().replace(year=2001))
    watch = LeaseWatch(clock)
    assert watch.silent() == set()
    assert after_the_lease(clock, watch) == everybody()


def test_an_unreachable_database_makes_no_worker_silent(hosts, clock):
    hosts("alpha")
    watch = LeaseWatch(clock)
    watch.silent()
    clock.sleep(600)
    assert watch.silent() == set()


def test_a_run_whose_host_vanished_is_said_to_be_lost_and_its_commands_end_but_the_stop(training, unseen):
    run = training.following.run
    service = TrainerService()
    backup, stop = service.backup(run), service.stop_training(run)
    assert declare_lost(everybody()) == [run]
    run.refresh_from_db()
    assert (run.status, run.error_reason) == (Status.INTERRUPTED, "lost_worker")
    assert "alpha" in run.error
    backup.refresh_from_db(), stop.refresh_from_db()
    assert (backup.status, stop.status) == (RunCommand.Status.EXPIRED, RunCommand.Status.REQUESTED)


def test_a_run_with_a_live_process_is_not_lost_even_without_a_worker(training):
    assert declare_lost(everybody()) == []


def test_a_worker_that_comes_back_continues_its_run(training, unseen):
    run = training.following.run
    declare_lost(everybody())
    wait_for(lambda: training.following.step(False) and Run.objects.get().is_active, what="its return")
    run.refresh_from_db()
    assert (run.attempt, run.error, run.error_reason) == (1, "", "")
    assert run.events.filter(kind="status_changed").last().data["detail"] == "The worker is back."


def test_the_events_of_a_lost_run_are_read_when_its_worker_is_back(training, unseen):
    run = training.following.run
    declare_lost(everybody())
    (run.attempt_folder / "end").touch()
    wait_for(lambda: not training.following.step(False), what="the end")
    assert run.status == Status.FINISHED


def test_a_recreated_container_with_another_name_follows_its_runs(training, hosts, clock):
    run = training.following.run
    other = hosts("beta")
    assert other.find_orphan() is None
    after_the_lease(clock, other.leases)
    found = other.find_orphan()
    assert found.run == run and found.process.alive
    run.refresh_from_db()
    assert run.worker.name == "beta:cpu"


def test_another_machine_takes_a_lost_run_on_and_waits_until_the_old_process_is_fenced(
    training, hosts, unseen, clock, settings
):
    settings.FENCE_SECONDS, settings.RETRY_DELAYS = 600, [0]
    run = training.following.run
    backup = back_up(run, 10)
    declare_lost(everybody())
    other = hosts("beta")
    after_the_lease(clock, other.leases)
    following = other.find_orphan()
    assert following.process is None
    wait_for(lambda: not following.step(False), what="the end of the attempt")
    run.refresh_from_db()
    assert (run.status, run.resume_from) == (Status.QUEUED, backup)
    assert run.events.filter(kind="status_changed", data__reason="lost_host").exists()
    assert other.claim_next() is None, "before the old process must have heard of it"
    run.refresh_from_db()
    waits = state_of(run)["waits_for"]
    assert "Its previous process on " in waits and waits == read_queue().waiting[0].reason
    wait_for(lambda: not training.following.process.alive, what="the old process to end itself")
    assert other.claim_next() is None
    run.refresh_from_db()
    assert "may still be running" in state_of(run)["waits_for"] and "600 seconds" in state_of(run)["waits_for"]
    settings.FENCE_SECONDS = 0
    other.following = wait_for(other.claim_next)
    assert (other.following.run.attempt, other.following.run.worker.name) == (2, "beta:cpu")
    assert other.following.run.obstacle == {}


def test_why_a_run_waits_for_its_old_process_is_read_from_its_row_and_from_no_folder():
    run = make_run(attempt=1, obstacle={"code": "old_process_lives", "host": "alpha"})
    assert not run.attempt_folder.exists()
    assert state_of(run)["waits_for"].startswith("Its previous process on alpha is still running:")


def test_an_obstacle_is_cleared_when_the_run_s_status_changes():
    run = make_run(attempt=1, obstacle={"code": "old_process_lives", "host": "alpha"})
    run.move_to(Status.CANCELLED)
    assert Run.objects.get().obstacle == {}


def test_an_obstacle_is_not_written_to_the_run_s_next_attempt():
    run = make_run(attempt=1)
    Run.objects.update(attempt=2)
    assert not run.keep_obstacle({"code": "old_process_lives", "host": "alpha"})
    assert Run.objects.get().obstacle == {}


def test_a_stale_worker_kills_its_process_and_its_events_are_refused(training):
    run, process = training.following.run, training.following.process
    Run.objects.update(attempt=2, status=Status.STARTING)
    RunProgress.objects.update(journal_offset=0)
    (run.attempt_folder / "end").touch()
    wait_for(lambda: not training.following.step(False), what="the end")
    present = Run.objects.get()
    assert (present.attempt, present.status) == (2, Status.STARTING) and not process.alive


def test_a_run_that_began_in_another_data_folder_waits_for_a_worker_there(hosts):
    worker = hosts("alpha")
    run = make_run(attempt=1, data_folder="another")
    assert worker.claim_next() is None
    run.attempt_folder.mkdir(parents=True)
    worker.following = worker.claim_next()
    assert worker.following.run == run


def test_a_living_process_of_the_attempt_before_is_ended_before_the_next_begins(training, hosts):
    process, run = training.following.process, training.following.run
    Run.objects.update(status=Status.QUEUED)
    other = hosts("beta")
    other.following = wait_for(other.claim_next)
    assert not process.alive and other.following.run.attempt == run.attempt + 1


def test_a_lock_shows_whether_a_process_of_an_attempt_is_alive(training):
    folder = training.following.run.attempt_folder
    assert fence.is_held(folder)
    psutil.Process(training.following.process.identity.pid).kill()
    wait_for(lambda: not fence.is_held(folder))
    assert not fence.is_held(folder.with_name("99"))


def test_an_unreachable_machine_is_distinguished_from_a_restarted_one(training):
    folder = training.following.run.attempt_folder
    rewrite_record(folder, boot="another")
    assert postmortem.look_into(folder, None).reason == "restarted"
    rewrite_record(folder, host="alpha")
    assert postmortem.look_into(folder, None).reason == "lost_host"
    assert EngineProcess.find(folder) is None
