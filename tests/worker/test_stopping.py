"""A stop always ends it, and what was asked of a run always has an end."""

import json
import sys
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
from django.utils.timezone import now

from engine.engines import ENGINES
from engine.interface.commands import Command
from engine.interface.journal import FILE_NAME, read_journal
from engine.launcher import EngineProcess, kill_all_of
from tests.making import make_run, make_user
from tests.needs import needs_cc
from tests.nvml import GPU
from tests.waiting import wait_for
from training.models import Run, RunCommand
from training.runs.service import TrainerService
from worker.attempt import Following

pytestmark = pytest.mark.django_db
Status = Run.Status
LISTENING = """
import os, sys, pathlib, time
sys.path.insert(0, os.getcwd())
from engine.interface.reporting import Reporter
reporter = Reporter(pathlib.Path(sys.argv[1]))
reporter.start()
reporter.callbacks().on_phase({phase!r})
"""
DEAF = LISTENING + "time.sleep(600)"
OBEDIENT = (
    LISTENING
    + """
def train():
    while not reporter.commands.stop_requested:
        reporter.commands.wait()
        for number, command in enumerate(reporter.commands.take()):
            reporter.callbacks().on_command_done(command, "Done.")
    return "stopped"
reporter.run(train)
"""
)
WITH_CHILDREN = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
"""


@pytest.fixture
def follow(worker, monkeypatch):
    """A run whose process is the given program, followed until it has said its first word."""

    def start(code, phase="training"):
        def command(folder):
            return [sys.executable, "-c", code.replace("{phase!r}", repr(phase)), str(folder)]

        monkeypatch.setitem(ENGINES, "builtin", replace(ENGINES["builtin"], command=command, package=""))
        make_run()
        worker.following = worker.claim_next()
        run = worker.following.run
        wait_for(lambda: worker.following.step(False) and run.phase == phase, what="its first word")
        return worker.following

    return start


def step_to_the_end(following):
    wait_for(lambda: not following.step(False), what="the end")
    return following.run


def ask_long_ago(following):
    TrainerService(make_user("ada")).stop_training(following.run)
    RunCommand.objects.update(requested_at=now() - timedelta(days=1))


@pytest.mark.parametrize("phase", ["caching", "training", "sampling", "paused"])
def test_a_run_that_does_not_stop_is_killed_after_the_grace_period(follow, phase):
    following = follow(DEAF, phase)
    ask_long_ago(following)
    run = step_to_the_end(following)
    assert (run.status, run.error_reason) == (Status.STOPPED, "stop_forced")
    assert run.commands.get().status == RunCommand.Status.DONE and not following.process.alive


def test_a_frozen_one_is_killed_too(follow):
    following = follow(DEAF)
    psutil.Process(following.process.identity.pid).suspend()
    ask_long_ago(following)
    assert step_to_the_end(following).error_reason == "stop_forced"
    assert not following.process.alive


def test_it_is_left_alone_within_the_grace_period_and_says_until_when(follow):
    following = follow(DEAF)
    TrainerService().stop_training(following.run)
    for _ in range(3):
        assert following.step(False)
    assert following.run.killed_after > now() and following.process.alive


def test_a_stop_at_once_kills_the_process_and_names_the_user(follow):
    following = follow(DEAF)
    service = TrainerService(make_user("ada"))
    service.stop_training(following.run), service.stop_training(following.run, at_once=True)
    run = step_to_the_end(following)
    assert (run.status, run.error_reason) == (Status.STOPPED, "stop_now")
    assert "ada" in run.error and not run.commands.filter(status__in=RunCommand.OPEN).exists()


def test_a_stopped_run_ends_and_names_the_user_who_stopped_it(follow):
    following = follow(OBEDIENT)
    TrainerService(make_user("ada")).stop_training(following.run)
    run = step_to_the_end(following)
    assert (run.status, run.error_reason, run.error) == (Status.STOPPED, "stopped", "")


def test_a_shutdown_and_a_signal_are_distinguished(follow):
    following = follow(OBEDIENT)
    wait_for(lambda: not following.step(True), what="the end")
    assert following.run.error_reason == "shutdown"
    other = follow(OBEDIENT)
    psutil.Process(other.process.identity.pid).terminate()
    assert step_to_the_end(other).error_reason == "signal"


def test_its_child_processes_are_killed_with_it_and_after_it(follow):
    following = follow(WITH_CHILDREN + DEAF)
    ask_long_ago(following)
    run = step_to_the_end(following)
    assert kill_all_of(run.attempt_folder) == []
    other = follow(WITH_CHILDREN + OBEDIENT)
    TrainerService().stop_training(other.run)
    run = step_to_the_end(other)
    assert "outlived it" in run.events.filter(kind="warning").get().data["message"]
    wait_for(lambda: kill_all_of(run.attempt_folder) == [])


@needs_cc
def test_gpu_memory_that_an_ended_process_still_holds_is_reported(follow, nvidia_driver):
    following = follow(OBEDIENT)
    nvidia_driver.say(GPU, f"use|0|{following.process.identity.pid}|512|python3", "use|0|1|512|init")
    TrainerService().stop_training(following.run)
    run = step_to_the_end(following)
    message = run.events.filter(kind="warning").get().data["message"]
    assert f"Process {following.process.identity.pid} still holds" in message


# -- commands ------------------------------------------------------------------------------------------------------


def answered(following, command):
    """Follow until the command has its answer."""
    wait_for(lambda: following.step(False) and RunCommand.objects.get(pk=command.pk).ended_at, what="the answer")
    return RunCommand.objects.get(pk=command.pk)


def followed_again(following, worker):
    """As a worker that is started after the other was killed."""
    run = Run.objects.get(pk=following.run.pk)
    worker.following = Following(run, EngineProcess.find(run.attempt_folder), worker.publisher)
    return worker.following


@pytest.mark.parametrize("marked", [RunCommand.Status.REQUESTED, RunCommand.Status.DELIVERED])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_command_is_answered_though_its_worker_was_killed_as_it_handed_it_over(follow, worker, marked, arrived):
    following = follow(OBEDIENT)
    command = TrainerService().backup(following.run)
    if arrived:
        assert following.process.send(Command("backup", {}, str(command.pk)))
    RunCommand.objects.update(status=marked)
    assert answered(followed_again(following, worker), command).status == RunCommand.Status.DONE
    events, _ = read_journal(following.run.attempt_folder / FILE_NAME)
    assert [event.kind for event in events].count("command_done") == 1


def test_a_command_that_the_engine_does_not_know_is_refused(follow):
    following = follow(OBEDIENT)
    command = following.run.commands.create(attempt=1, kind="dance")
    following.process._connected()._connection.send_bytes(json.dumps({"kind": "dance", "id": str(command.pk)}).encode())
    found = answered(following, command)
    assert found.status == RunCommand.Status.REFUSED and "dance" in found.detail


def test_commands_expire_with_an_engine_that_is_killed(follow):
    following = follow(DEAF)
    command = TrainerService().backup(following.run)
    assert following.step(False)
    psutil.Process(following.process.identity.pid).kill()
    step_to_the_end(following)
    command.refresh_from_db()
    assert command.status == RunCommand.Status.EXPIRED and "killed" in command.detail


def test_a_command_for_an_earlier_attempt_expires_and_is_never_handed_to_the_next(worker, follow):
    follow(DEAF).kill("killed", "")
    run = make_run(attempt=1)
    command = run.commands.create(attempt=1, kind="stop")
    assert worker.claim(run)
    command.refresh_from_db()
    assert command.ended_at and "has a new attempt" in command.detail


def test_a_process_of_an_attempt_that_was_overtaken_is_killed_and_changes_nothing(follow):
    following = follow(DEAF)
    Run.objects.update(attempt=2, status=Status.STARTING)
    assert following.step(False) is False or not following.step(False)
    run = Run.objects.get()
    assert (run.attempt, run.status) == (2, Status.STARTING) and not following.process.alive
