"""Engine processes: started, found again, ended."""

import os
import sys

import psutil
import pytest

from engine.launcher import MARK, EngineProcess, kill_all_of
from tests.engine.records import rewrite_record
from tests.waiting import wait_for

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);" + SLEEPER


@pytest.fixture
def start(tmp_path):
    started = []

    def start(code, folder="runs/r/attempts/1", arguments=()):
        command = [sys.executable, "-c", code, *arguments]
        process = EngineProcess.start(tmp_path / folder, {"attempt": 1}, command, tmp_path, os.environ)
        started.append(process)
        wait_for(lambda: "ready" in (process.folder / "engine.log").read_text() or not process.alive)
        return process

    yield start
    for process in started:
        process.kill()


def test_a_process_is_found_again_by_its_folder(start):
    process = start(SLEEPER)
    assert EngineProcess.find(process.folder).identity == process.identity


def test_a_process_that_has_ended_is_not_found(start):
    process = start("print('ready')")
    wait_for(lambda: not process.alive)
    assert EngineProcess.find(process.folder) is None
    assert process.exit_code == 0


def test_another_process_with_the_same_pid_is_not_taken_for_it(start):
    process = start(SLEEPER)
    file = process.folder / "process.json"
    file.write_text(file.read_text().replace('"started": ', '"started": 1'))
    assert EngineProcess.find(process.folder) is None


def test_a_process_is_found_again_after_the_clock_was_set(start, monkeypatch):
    process = start(SLEEPER)
    boot_time = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time + 3600)  # the boot time that psutil then calculates
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: boot_time + 3600)
    assert EngineProcess.find(process.folder)


def test_a_process_of_an_earlier_boot_is_not_found(start):
    process = start(SLEEPER)
    rewrite_record(process.folder, boot="another")
    assert EngineProcess.find(process.folder) is None


def test_a_process_is_found_even_if_its_starter_was_killed_before_recording_it(start, tmp_path):
    folder = tmp_path / "runs/r/attempts/1"
    process = start(SLEEPER, folder, [str(folder)])
    (folder / "process.json").unlink()
    assert EngineProcess.find(folder).identity == process.identity
    assert EngineProcess.find(folder.with_name("2")) is None


def test_all_living_processes_below_a_folder_are_found(start, tmp_path):
    folders = {start(SLEEPER, f"runs/{name}/attempts/1").folder for name in "ab"}
    start("print('ready')", "runs/c/attempts/1")
    found = wait_for(lambda: [p.folder for p in EngineProcess.find_all(tmp_path / "runs")])
    assert folders <= set(found)


def test_sigterm_is_enough_for_a_process_that_handles_it(start):
    assert start(SLEEPER).end(grace=30) is True


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(start):
    process = start(STUBBORN)
    assert process.end(grace=0.2) is False
    assert not process.alive


def test_killing_ends_the_children_too(start):
    process = start(PARENT)
    children = psutil.Process(process.identity.pid).children()
    assert children
    process.kill()
    wait_for(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


ESCAPED = """
import os, subprocess, sys
sleeper = "import time; time.sleep(600)"
subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time; time.sleep(600)
    os._exit(0)
"""


def of_attempt(process):
    """The living processes that the engine started, including those that left its group."""
    found = []
    for other in psutil.process_iter():
        try:
            if other.environ().get(MARK) == str(process.folder) and other.status() != "zombie":
                found.append(other)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [other for other in found if other.pid != process.identity.pid]


def test_killing_ends_processes_that_left_the_group_and_lost_their_parent(start):
    process = start(ESCAPED + SLEEPER)
    wait_for(lambda: len(of_attempt(process)) == 2)
    assert process.kill()
    assert not of_attempt(process)


def test_the_remaining_children_of_a_dead_process_are_killed(start):
    process = start(ESCAPED + "print('ready', flush=True)")
    wait_for(lambda: not process.alive and len(of_attempt(process)) == 2)
    assert len(kill_all_of(process.folder)) == 2
    wait_for(lambda: not of_attempt(process))


def test_a_frozen_process_is_killed(start):
    process = start(SLEEPER)
    psutil.Process(process.identity.pid).suspend()
    assert process.kill() and not process.alive
