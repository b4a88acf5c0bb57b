"""What is found out about a process that left no last word."""

import os
import signal
import sys
from pathlib import Path

import pytest

from engine.launcher import EngineProcess, oom_kills
from tests.engine.records import rewrite_record
from tests.waiting import wait_for
from worker.postmortem import look_into

ENGINE = """
import os, sys, pathlib, time
sys.path.insert(0, os.getcwd())
from engine.interface.reporting import Reporter
reporter = Reporter(pathlib.Path(sys.argv[1]))
reporter.start()
print("ready", flush=True)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(code):
        folder = tmp_path / "attempts/1"
        command = [sys.executable, "-c", ENGINE + code, str(folder)]
        process = EngineProcess.start(folder, {"attempt": 1}, command, Path.cwd(), os.environ)
        started.append(process)
        wait_for(lambda: "ready" in (folder / "engine.log").read_text() or not process.alive)
        return process

    yield start
    for process in started:
        process.kill()


def looked_into(process, is_ours):
    """As its own worker sees it, or one that was started later and gets no exit status."""
    wait_for(lambda: not process.alive)
    return look_into(process.folder, process if is_ours else None)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_kill_is_distinguished_from_a_crash_in_native_code(start, is_ours):
    process = start("time.sleep(600)")
    os.kill(process.identity.pid, signal.SIGKILL)
    found = looked_into(process, is_ours)
    assert found.reason == "killed" and "killed from outside" in found.sentence


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_crash_in_native_code_says_where_it_was(start, is_ours):
    found = looked_into(start("import ctypes; ctypes.string_at(0)"), is_ours)
    assert found.reason == "crash"
    assert "SIGSEGV" in found.sentence or "Segmentation fault" in found.sentence
    assert "string_at" in found.trace


def test_an_exit_without_a_reason_reports_its_status(start):
    found = looked_into(start("os._exit(3)"), True)
    assert (found.reason, "exit status 3" in found.sentence) == ("crash", True)


def test_a_kill_by_the_kernel_for_lack_of_memory_is_reported(start):
    process = start("time.sleep(600)")
    process.kill()
    rewrite_record(process.folder, oom_kills=oom_kills() - 1)
    assert looked_into(process, False).reason == "killed_for_memory"


def test_the_kernel_s_count_of_out_of_memory_kills_is_read(tmp_path):
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")
    assert oom_kills([tmp_path / "none", events]) == 2


def test_a_restart_of_the_machine_is_reported(start):
    process = start("time.sleep(600)")
    process.kill()
    rewrite_record(process.folder, boot="another")
    assert looked_into(process, False).reason == "restarted"


def test_a_process_that_never_started_is_reported(tmp_path):
    assert "never started" in look_into(tmp_path, None).sentence
