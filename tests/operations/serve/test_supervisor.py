"""Parts and their supervisor."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil
import pytest

from operations.serve.listening import CannotListen, address_of, is_wildcard, listen
from operations.serve.part import FIRST_DELAY, LONGEST_DELAY, Part
from operations.serve.site import usable_gpus
from operations.serve.supervisor import Console, Supervisor
from system.data_folder import FolderLock, FolderTaken
from tests.clock import SleptClock
from tests.waiting import wait_for

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP


@pytest.fixture
def part(tmp_path):
    made = []

    def make(code=SLEEP, name="part", **more):
        part = Part(name, [sys.executable, "-c", code], tmp_path / f"{name}.log", tmp_path, os.environ, **more)
        made.append(part)
        return part

    yield make
    for one in made:
        one.end(0)


def log_of(part):
    return part.log.read_text()


def test_the_output_of_each_process_is_logged(part):
    speaker = part("import sys; print('out', flush=True); print('ärger', file=sys.stderr)")
    speaker.start()
    wait_for(lambda: log_of(speaker) == "out\närger\n")


def test_a_long_log_is_rotated(part):
    speaker = part("for number in range(100): print(number)", log_bytes=100)
    speaker.start()
    wait_for(lambda: "99" in log_of(speaker))
    assert len(log_of(speaker)) <= 100
    assert speaker.log.with_name("part.log.1").exists()


def test_a_dead_part_starts_again_and_says_how_it_died(part):
    patient = part()
    patient.start()
    patient.kill()
    wait_for(lambda: not patient.alive)
    assert f"was killed by SIGKILL; starting it again in {FIRST_DELAY} s" in patient.look_after()
    assert "started again" in wait_for(patient.look_after)
    assert patient.alive
    assert patient.look_after() is None


def test_the_delay_grows_with_each_death_up_to_a_limit(part):
    clock = SleptClock()
    failing = part("raise SystemExit(3)", clock=clock)
    failing.start()
    delays = []
    for _ in range(9):
        wait_for(lambda: not failing.alive)
        said = failing.look_after()
        assert said.startswith("ended with status 3")
        delays.append(float(said.partition(" again in ")[2].partition(" s")[0]))
        clock.sleep(LONGEST_DELAY)
        assert "started again" in failing.look_after()
    assert delays == [min(LONGEST_DELAY, FIRST_DELAY * 2**count) for count in range(9)]


def test_a_part_that_lived_long_starts_again_soon(part):
    clock = SleptClock()
    steady = part(clock=clock)
    for _ in range(3):
        steady.start()
        steady.kill()
        wait_for(lambda: not steady.alive)
        steady.look_after()
    steady.start()
    clock.sleep(3600)
    steady.kill()
    wait_for(lambda: not steady.alive)
    assert f"in {FIRST_DELAY} s" in steady.look_after()


def test_a_part_that_does_not_listen_is_killed(part):
    deaf = part(STUBBORN)
    deaf.start()
    wait_for(lambda: "up" in log_of(deaf))
    deaf.end(grace=0.1)
    assert "SIGKILL" in deaf.how_it_ended()


def test_a_part_dies_with_the_process_that_started_it(tmp_path):
    code = f"""if True:
        import os, time
        from pathlib import Path
        from operations.serve.part import Part
        part = Part("p", [{sys.executable!r}, "-c", {SLEEP!r}], Path({str(tmp_path / "log")!r}), Path("."), os.environ)
        part.start()
        print(part.pid, flush=True)
        time.sleep(600)"""
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(starter.stdout.readline())
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n")
    starter.kill()
    starter.wait()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.django_db
def test_the_supervisor_ends_all_parts(part, tmp_path):
    supervisor = Supervisor(Console(tmp_path / "serve.log", lambda line: None))
    parts = [part(name="redis"), part(name="worker")]
    supervisor.start(parts[0])
    supervisor.start_worker(parts[1], "host:cpu")
    supervisor.shut_down()
    assert not any(one.alive for one in parts)
    assert "redis        started" in (tmp_path / "serve.log").read_text()


def test_a_vanished_terminal_does_not_stop_the_log(tmp_path):
    def write(line):
        raise BrokenPipeError

    console = Console(tmp_path / "serve.log", write)
    console.line("one")
    console.line("two")
    assert (tmp_path / "serve.log").read_text().count("\n") == 2


def test_a_link_to_sign_in_is_not_logged(tmp_path):
    shown = []
    Console(tmp_path / "serve.log", shown.append).line("http://secret", log=False)
    assert shown == ["http://secret"]
    assert (tmp_path / "serve.log").read_text() == ""


def test_a_folder_is_locked_once_and_free_afterwards(tmp_path):
    with FolderLock(tmp_path) as lock:
        lock.write("http://127.0.0.1:1")
        with pytest.raises(FolderTaken, match=f"served already at http://127.0.0.1:1 by process {os.getpid()}"):
            FolderLock(tmp_path).__enter__()
    with FolderLock(tmp_path):
        pass


def test_a_free_port_is_found_and_named():
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert not is_wildcard(listener)


def test_all_addresses_are_opened_by_the_local_one():
    with listen("0.0.0.0", 0) as listener:
        assert is_wildcard(listener)
        assert address_of(listener).startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("host", "port", "cure"), [("no-such-host.invalid", 0, "--host"), ("192.0.2.1", 0, "--host"), ("", 99999, "--port")]
)
def test_an_address_that_cannot_be_had_is_a_sentence(host, port, cure):
    with pytest.raises(CannotListen, match=cure):
        listen(host, port)


def test_a_port_in_use_is_reported_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen, match="is in use"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("present", "chosen", "workers"),
    [
        (0, None, [""]),
        (0, "0", [""]),
        (2, None, ["0", "1"]),
        (2, "1", ["1"]),
        (2, "1, 0", ["1", "0"]),
        (2, "", [""]),
        (2, "-1", [""]),
    ],
)
def test_there_is_a_worker_for_each_usable_gpu(monkeypatch, present, chosen, workers):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert usable_gpus([str(number) for number in range(present)]) == workers


def test_a_small_answer_does_not_wait_for_an_acknowledgement():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
