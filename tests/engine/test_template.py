"""Attempts that are forked from a template have everything that a fresh process has."""

import json
import os
import signal
import sys

import psutil
import pytest

from engine.engines import ROOT
from engine.launcher import LOG_FILE, MARK, EngineProcess
from engine.template import IDLE_SECONDS, SPACE
from engine.warm import Origin, Template, Templates
from tests.engine.small_engine import PACKAGE, make_small_engine
from tests.waiting import wait_for

FACTS = """
import json, os, resource, signal, sys, threading
facts = {
    "session": os.getsid(0), "group": os.getpgid(0), "pid": os.getpid(), "cwd": os.getcwd(), "arguments": sys.argv[1:],
    "name": __name__, "environment": dict(os.environ), "threads": len(os.listdir("/proc/self/task")),
    "handlers": str([signal.getsignal(number) for number in sorted(signal.valid_signals())]),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "path": sys.path,
    "open": sorted(os.listdir("/proc/self/fd"), key=int), "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "child_environment": __import__("subprocess").check_output(["env"], text=True).splitlines(),
}
print(json.dumps(facts), flush=True)
"""
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
GREEDY = "data = bytearray(b'x') * 200_000_000; print('ready', flush=True); import time; time.sleep(600)"


@pytest.fixture
def origin(tmp_path):
    """The origin of a template, with this code for its imports and these changes to the environment."""

    def make(code="pass", **changes):
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | changes
        return Origin(sys.executable, PACKAGE, make_small_engine(tmp_path / "project", code), environment)

    return make


@pytest.fixture
def templates():
    made = Templates()
    yield made
    made.end()


@pytest.fixture
def template(templates, origin):
    return templates.ready(origin(), lambda: True)


@pytest.fixture
def start(tmp_path):
    """Start the code as a script in a fork of the template, or in a fresh process without one."""
    started = []

    def start(template, code, name="1", **environment):
        folder = tmp_path / f"runs/r/attempts/{name}"
        script = tmp_path / f"script{len(started)}.py"
        script.write_text(code)
        command = [sys.executable, str(script), str(folder)]
        process = EngineProcess.start(folder, {}, command, tmp_path, os.environ | environment, template)
        started.append(process)
        wait_for(lambda: said(process) or not process.alive)
        return process

    yield start
    for process in started:
        process.kill()


def said(process):
    return (process.folder / LOG_FILE).read_text()


def parent(process):
    return psutil.Process(process.identity.pid).ppid()


def test_a_fork_has_a_session_an_environment_and_a_folder_of_its_own(template, start, tmp_path):
    process = start(template, FACTS, HF_TOKEN="secret", OMP_NUM_THREADS="7")
    facts = json.loads(said(process))
    assert facts["session"] == facts["group"] == facts["pid"] == process.identity.pid
    assert facts["cwd"] == str(tmp_path) and facts["arguments"] == [str(process.folder)]
    assert facts["environment"] == os.environ | {
        "HF_TOKEN": "secret",
        "OMP_NUM_THREADS": "7",
        MARK: str(process.folder),
    }


def test_a_fork_equals_a_fresh_process(template, start):
    fork, fresh = (json.loads(said(start(made, FACTS, name))) for made, name in ((template, "1"), (None, "2")))
    for fact in ("name", "threads", "handlers", "blocked", "open", "limits"):
        assert fork[fact] == fresh[fact], fact


def test_the_children_of_a_fork_inherit_its_environment(template, start):
    process = start(template, FACTS, HF_TOKEN="secret")
    assert {"HF_TOKEN=secret", f"{MARK}={process.folder}"} <= set(json.loads(said(process))["child_environment"])


def test_two_forks_know_nothing_of_each_other(template, start):
    first = start(template, SLEEPER, "1")
    second = json.loads(said(start(template, FACTS, "2", ONLY="second")))
    assert second["environment"]["ONLY"] == "second" and second["environment"][MARK].endswith("/2")
    assert first.alive and parent(first) == template.pid


def test_a_fork_is_found_by_its_command_line_and_its_mark(template, start):
    process = start(template, SLEEPER)
    found = psutil.Process(process.identity.pid)
    assert str(process.folder) in found.cmdline() and found.environ()[MARK] == str(process.folder)
    assert EngineProcess.find(process.folder).identity == process.identity
    (process.folder / "process.json").unlink()
    assert EngineProcess.find(process.folder).identity.pid == process.identity.pid


def test_a_template_is_not_mistaken_for_an_engine_process(template, start):
    start(template, SLEEPER)
    words = " ".join(psutil.Process(template.pid).cmdline())
    assert "engine.template" in words and "small.prepare" not in words and "attempts" not in words


def test_the_memory_of_a_fork_is_freed_at_its_end(template, start):
    before = psutil.Process(template.pid).memory_info().rss
    process = start(template, GREEDY)
    assert psutil.Process(process.identity.pid).memory_info().rss > 200_000_000
    process.kill()
    assert not psutil.pid_exists(process.identity.pid) or not process.alive
    assert psutil.Process(template.pid).memory_info().rss < before + 20_000_000


@pytest.mark.parametrize(
    ("code", "status"),
    [("import sys; sys.exit(3)", 3), ("print('done')", 0), ("raise ValueError", 1)],
    ids=["exit", "end", "error"],
)
def test_the_exit_status_of_a_fork_is_reported(template, start, code, status):
    process = start(template, code)
    wait_for(lambda: not process.alive)
    assert process.exit_code == status


def test_the_signal_that_ended_a_fork_is_reported(template, start):
    process = start(template, SLEEPER)
    assert process.exit_code is None
    os.kill(process.identity.pid, signal.SIGKILL)
    wait_for(lambda: not process.alive)
    assert process.exit_code == -signal.SIGKILL


def test_an_ended_fork_leaves_no_zombie(template, start):
    process = start(template, "pass")
    wait_for(lambda: not psutil.pid_exists(process.identity.pid))


def test_a_fork_continues_when_its_template_is_killed(template, start):
    process = start(template, SLEEPER)
    os.kill(template.pid, signal.SIGKILL)
    wait_for(lambda: not template.is_alive)
    assert process.alive and EngineProcess.find(process.folder)
    process.kill()
    assert not process.alive and process.exit_code is None


WORKER = """
import os, sys, time
from pathlib import Path
from engine.launcher import EngineProcess
from engine.warm import Origin, Templates
script, folder, shadow = map(Path, sys.argv[1:])
template = Templates().ready(Origin(sys.executable, "small", shadow, os.environ), lambda: True)
EngineProcess.start(folder, {}, [sys.executable, str(script), str(folder)], shadow, os.environ, template)
print(template.pid, flush=True)
time.sleep(600)
"""


def test_a_fork_continues_when_its_worker_is_killed_and_the_template_ends(origin, tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "attempts/1"
    script.write_text(SLEEPER)
    command = [sys.executable, "-c", WORKER, str(script), str(folder), str(origin().cwd)]
    worker = psutil.Popen(command, stdout=-1, cwd=ROOT)
    template = psutil.Process(int(worker.stdout.readline()))
    process = EngineProcess.find(folder)
    try:
        worker.kill()
        worker.wait()
        wait_for(lambda: not template.is_running(), what="the template's end")
        assert process.alive
        assert EngineProcess.find(folder).identity == process.identity
    finally:
        process.kill()


def test_the_output_of_the_imports_is_in_each_log(templates, origin, start):
    template = templates.ready(origin("print('imported'); import sys; print('warned', file=sys.stderr)"), lambda: True)
    for process in [start(template, "print('ready')", name) for name in ("1", "2")]:
        wait_for(lambda process=process: not process.alive)
        assert sorted(said(process).split()) == ["imported", "ready", "warned"]


def test_two_forks_get_different_random_numbers(templates, origin, start):
    template = templates.ready(origin("import numpy, random"), lambda: True)
    code = "import numpy, random; print(numpy.random.rand(), random.random())"
    drawn = [said(start(template, code, name)).split() for name in ("1", "2")]
    assert drawn[0][0] != drawn[1][0] and drawn[0][1] != drawn[1][1]


def test_the_same_template_serves_while_nothing_changes(templates, origin):
    first = templates.ready(origin(), lambda: True)
    assert templates.ready(origin(), lambda: True) is first


def test_a_changed_file_makes_a_new_template(templates, origin):
    first = templates.ready(origin(), lambda: True)
    second = templates.ready(origin("print('changed since')"), lambda: True)
    assert second.pid != first.pid and not first.is_alive


def test_another_environment_makes_a_new_template(templates, origin, start):
    first = templates.ready(origin(), lambda: True)
    second = templates.ready(origin(HF_HUB_OFFLINE="1"), lambda: True)
    assert second.pid != first.pid and not first.is_alive


def test_a_template_that_ended_is_started_again(templates, origin):
    first = templates.ready(origin(), lambda: True)
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not first.is_alive)
    assert templates.ready(origin(), lambda: True).is_alive


UNUSABLE = {
    "an import fails": ("import nothing_of_this_name", "nothing_of_this_name"),
    "a thread was left": (
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "threads",
    ),
    "it crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "without a message"),
    "a GPU was opened": (
        "import sys, types\ncuda = types.SimpleNamespace(is_initialized=lambda: True)\n"
        "sys.modules['torch'] = types.SimpleNamespace(cuda=cuda)",
        "a GPU",
    ),
}


@pytest.mark.parametrize(("code", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_without_a_usable_template_the_log_says_why_once(templates, origin, caplog, code, reason):
    assert templates.ready(origin(code), lambda: True) is None
    assert templates.ready(origin(code), lambda: True) is None
    (line,) = caplog.messages
    assert "fresh interpreter" in line and reason in line


def test_without_a_python_there_is_no_template(templates, origin, caplog):
    made = origin()
    assert templates.ready(Origin("/no/python", made.package, made.cwd, made.environment), lambda: True) is None
    assert "/no/python" in caplog.text


def test_an_attempt_starts_in_a_fresh_process_if_its_template_has_died(template, start, caplog):
    os.kill(template.pid, signal.SIGKILL)
    process = start(template, SLEEPER)
    assert process.alive and parent(process) == os.getpid()
    assert "fresh interpreter" in caplog.text


def test_an_attempt_starts_in_a_fresh_process_if_its_template_does_not_answer(template, start):
    template.answer_seconds = 0.2
    os.kill(template.pid, signal.SIGSTOP)
    process = start(template, SLEEPER)
    assert process.alive and parent(process) == os.getpid()
    assert not template.is_alive


def test_an_attempt_starts_in_a_fresh_process_if_its_name_is_too_long_to_be_shown(template, start):
    process = start(template, SLEEPER, name="/".join(["x" * 200] * (SPACE // 200 + 2)))
    assert process.alive and parent(process) == os.getpid()


def test_waiting_for_imports_ends_when_they_are_no_longer_needed(templates, origin):
    waits = iter([True, False])
    assert templates.ready(origin("import time; time.sleep(600)"), lambda: next(waits)) is None


def test_a_template_without_work_ends(origin, tmp_path):
    made = origin("import engine.template; __import__('sys').modules['__main__'].IDLE_SECONDS = 0.1")
    template = Template(made)
    assert template.wait_until_ready(lambda: True)
    wait_for(lambda: not template.is_alive)
    assert IDLE_SECONDS > 60
