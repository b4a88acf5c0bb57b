"""Following a training that was started outside of this site, until it ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from engine.onetrainer.workspace import read_workspace
from operations.job_work import do
from operations.workspaces.ask import ask_for_import
from operations.workspaces.pulse import SETTLED, Pulse
from system.jobs import Hold, JobLost
from system.models import SILENT, Job
from tests.api import trainer
from tests.making import make_run
from tests.waiting import wait_for
from tests.workspaces import Workspace, living_workspace
from training.models import Run
from training.runs.removal import delete_run
from worker import job_runner
from worker.job_process import MOST_FAILURES, CommandProcess, take_back
from worker.job_runner import JobKeeper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def allowed(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]


@pytest.fixture
def process():
    """Stands for OneTrainer's: it sleeps until it is killed."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def living(tmp_path, process):
    """(workspace, log, what ends the process)"""

    def end():
        process.kill()
        process.wait()

    return (*living_workspace(tmp_path / "stars", process.pid), end)


def follow(workspace, script, send=lambda messages: None):
    """Follow the workspace, with one step of the script between two looks; returns the job."""
    job = ask_for_import(str(workspace.folder), follow=True, doer="test")
    steps = iter(script)
    do(job, send, lambda seconds: next(steps)())
    return job


def shown():
    run = Run.objects.get()
    return run.status, run.progress.global_step


def test_a_living_training_is_followed_until_its_process_ends(living):
    workspace, log, end = living
    seen = []

    def train_on():
        seen.append(shown())
        log.steps(2, 5)

    def come_to_its_end():
        seen.append(shown())
        workspace.backup(5, 1, epoch=1, epoch_step=0)
        workspace.file(2, "model.safetensors")
        end()

    job = follow(workspace, [train_on, come_to_its_end])
    assert seen == [("running", 2), ("running", 5)]
    assert (*shown(), job.status, job.detail) == ("stopped", 5, "done", "1 training was imported.")
    assert Run.objects.get().artifacts.count() == 2


def test_its_events_are_published_as_they_come(living):
    workspace, log, end = living
    told = []

    def train_on():
        told.clear()
        log.steps(2, 4)
        workspace.sample(3, 0.1)

    follow(workspace, [train_on, end], told.extend)
    kinds = {json.loads(text)["type"] for _, text in told}
    assert {"sample_default", "training_state"} <= kinds


def test_one_whose_process_is_killed_is_interrupted(living):
    workspace, _, end = living
    follow(workspace, [end])
    assert shown()[0] == "interrupted"


def test_a_next_training_of_the_same_process_is_followed_in_its_place(living, process):
    workspace, _, end = living

    def begin_the_next():
        assert shown()[0] == "running"
        workspace.log(0.5, host=socket.gethostname(), pid=process.pid, steps=1)

    def look():
        assert [run.status for run in Run.objects.order_by("created_at")] == ["interrupted", "running"]
        end()

    follow(workspace, [begin_the_next, look])


def test_a_workspace_without_a_training_is_imported_once(tmp_path):
    workspace = Workspace(tmp_path / "stars")
    workspace.log(steps=3)
    assert follow(workspace, []).status == "done"
    assert shown() == ("interrupted", 3)


def test_a_workspace_that_goes_away_ends_its_run_with_a_sentence(living, tmp_path):
    workspace, _, _ = living
    follow(workspace, [lambda: workspace.folder.rename(tmp_path / "moved")])
    run = Run.objects.get()
    assert run.status == "interrupted" and "check whether it was moved" in run.error


def test_a_followed_run_is_continued_by_the_next_process_at_the_same_offset(living):
    workspace, log, end = living

    job = ask_for_import(str(workspace.folder), follow=True, doer="first")
    with pytest.raises(SystemExit):
        do(job, lambda messages: None, lambda seconds: sys.exit())
    log.steps(2, 4)
    assert job.take("second")
    do(job, lambda messages: None, lambda seconds: end())
    assert shown() == ("interrupted", 4)
    assert list(Run.objects.get().metrics.filter(tag="loss").values_list("step", flat=True)) == [0, 1, 2, 3]


def test_a_worker_that_lost_its_job_writes_nothing_more(living):
    job = ask_for_import(str(living[0].folder), follow=True, doer="first")
    do(job, lambda messages: None, lambda seconds: Job.objects.get().take("second"))
    job.refresh_from_db()
    assert (job.worker, job.status, shown()[0]) == ("second", "running", "running")


def test_a_worker_that_lost_its_job_cannot_report_progress(living):
    job = ask_for_import(str(living[0].folder), follow=True, doer="first")
    hold = Hold(job)
    hold(detail="Reading the workspace.")
    assert Job.objects.get().take("second")
    with pytest.raises(JobLost):
        hold(detail="Reading the workspace still.")


def test_an_ended_run_of_the_workspace_can_be_deleted_during_the_import(living):
    workspace, log, end = living
    workspace.log(-60, steps=2)

    def delete():
        delete_run(Run.objects.get(status="interrupted"))
        log.steps(2, 4)

    follow(workspace, [delete, lambda: None, end])
    assert shown() == ("interrupted", 4)


# -- the pulse -----------------------------------------------------------------------------------------------------


def pulse_of(workspace, patience=600.0, follow=True, settled=SETTLED):
    return Pulse(patience, settled).is_beating(read_workspace(workspace.folder)[0], follow)


def test_a_process_that_is_there_lives(living):
    assert pulse_of(living[0], follow=False)


def test_a_younger_process_with_the_same_number_is_another(tmp_path, process):
    workspace = Workspace(tmp_path, began=datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=1))
    workspace.log(host=socket.gethostname(), pid=process.pid)
    assert not pulse_of(workspace, follow=False)


def test_a_desktop_that_lives_on_after_its_training_is_no_training(living):
    workspace, log, _ = living
    os.utime(log.path, (workspace.seconds(),) * 2)
    os.utime(workspace.file(0, "model.safetensors"))
    assert pulse_of(workspace), "it may still write"
    assert not pulse_of(workspace, settled=-1)


def test_a_process_that_neither_writes_nor_computes_is_given_up(living):
    workspace, log, _ = living
    os.utime(log.path, (workspace.seconds(),) * 2)
    assert not pulse_of(workspace, patience=0)


def test_a_process_that_computes_lives_though_it_writes_nothing(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        workspace, log = living_workspace(tmp_path / "stars", busy.pid)
        old = (time.time() - 10_000,) * 2
        for file in (log.path, *workspace.folder.glob("config/*")):
            os.utime(file, old)
        try:
            wait_for(lambda: pulse_of(workspace), what="a look during which it got a processor")
        finally:
            busy.kill()


def test_a_training_of_another_host_lives_for_as_long_as_it_writes(tmp_path):
    workspace = Workspace(tmp_path, began=datetime.now(UTC).replace(tzinfo=None))
    log = workspace.log(host="another", steps=1)
    os.utime(log.path)
    assert pulse_of(workspace) and not pulse_of(workspace, follow=False)
    old = time.time() - 700
    os.utime(log.path, (old, old))
    assert not pulse_of(workspace) and pulse_of(workspace, patience=800)


# -- who does it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def keeper(monkeypatch):
    """A worker's thread to be driven by `step()`, whose processes only note their jobs and go on for ever."""
    started = []

    class Noted(CommandProcess):
        def start(self):
            started.append(self.job)

        def goes_on(self):
            return True

    monkeypatch.setitem(job_runner.PROCESSES, Job.Kind.IMPORT, Noted)
    keeper = JobKeeper("here:cpu")
    keeper.started = started
    return keeper


def test_a_worker_takes_a_waiting_job_on_and_no_other_does(keeper, living):
    job = ask_for_import(str(living[0].folder))
    keeper.step()
    keeper.step()
    assert keeper.started == [job] and keeper.started[0].claim == 1


def test_a_job_with_a_silent_process_is_claimed_again(keeper, living):
    job = ask_for_import(str(living[0].folder), doer="gone")
    keeper.step()
    assert keeper.started == []
    Job.objects.update(heartbeat_at=now() - SILENT - timedelta(seconds=1))
    keeper.step()
    assert keeper.started == [job]


def test_a_restarted_worker_continues_its_jobs(keeper, living):
    ask_for_import(str(living[0].folder), doer="here:cpu")
    keeper.step("here:cpu")
    assert len(keeper.started) == 1


def test_a_job_whose_files_are_on_another_host_is_left_to_that(keeper):
    Job.objects.create(kind=Job.Kind.IMPORT, arguments={"path": "/not/here"}, host="another")
    keeper.step()
    assert keeper.started == []


def test_a_job_that_cannot_be_started_fails_with_a_sentence_and_blocks_no_other(keeper, living, caplog):
    broken = Job.objects.create(kind=Job.Kind.IMPORT, arguments={"path": "/a" * 5000}, host="another")
    job = ask_for_import(str(living[0].folder))
    keeper.step()
    broken.refresh_from_db()
    assert keeper.started == [job]
    assert broken.status == "failed" and "File name too long" in broken.detail
    assert "Traceback" in caplog.text


def test_a_run_that_lost_its_follower_is_followed_again(keeper, living):
    make_run(status=Run.Status.RUNNING, engine="onetrainer", source=str(living[0].folder))
    keeper.step()
    assert [job.arguments["follow"] for job in keeper.started] == [True]


def test_a_job_whose_process_dies_again_and_again_fails_and_lets_its_runs_go(living):
    run = make_run(status=Run.Status.RUNNING, engine="onetrainer", source=str(living[0].folder))
    job = ask_for_import(str(living[0].folder), follow=True)
    for _ in range(MOST_FAILURES):
        assert job.take("here:cpu")
        take_back(job)
        job.refresh_from_db()
    run.refresh_from_db()
    assert (job.status, run.status) == ("failed", "interrupted") and "see the worker's log" in run.error


def test_a_workspace_is_not_imported_twice_at_the_same_time(living):
    path = str(living[0].folder)
    assert ask_for_import(path) == ask_for_import(path)
    Job.objects.update(status=Job.Status.RUNNING, claim=1)
    with pytest.raises(CommandError, match="is being imported already"):
        call_command("import_onetrainer_workspace", path)


def test_an_import_that_fails_says_why(living):
    def fail(*args):
        raise ValueError("odd")

    job = follow(living[0], [], fail)
    assert job.status == "failed" and "ValueError: odd" in job.detail


@pytest.mark.parametrize("is_early", [True, False])
def test_following_can_be_ended_on_the_run_s_page_and_the_training_continues(client, living, process, is_early):
    """Early, its process looks once more before it sees that it is not wanted any more."""
    workspace, _log, _ = living
    client.force_login(trainer().user)

    def stop_following():
        run = Run.objects.get()
        assert "Stop following" in client.get(run.get_absolute_url()).content.decode()
        client.post(f"/runs/{run.pk}/stop-following/")
        if is_early:
            run.refresh_from_db()
            run.move_to(Run.Status.RUNNING)

    job = follow(workspace, [stop_following])
    run = Run.objects.get()
    assert (run.status, job.status, process.poll()) == ("interrupted", "done", None)
    assert "import its workspace again" in run.error
    assert "Stop following" not in client.get(run.get_absolute_url()).content.decode()


def test_a_run_that_no_job_follows_cannot_be_released(client):
    client.force_login(trainer().user)
    run = make_run(status="running")
    answer = client.post(f"/runs/{run.pk}/stop-following/", follow=True)
    assert "This run is not being followed" in answer.content.decode()
    run.refresh_from_db()
    assert run.status == "running"
