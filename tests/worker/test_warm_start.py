"""A worker forks its attempts from a template, and does without one where it has to."""

import os
import signal
import sys
from dataclasses import replace

import psutil
import pytest

from engine.engines import ENGINES
from engine.launcher import LOG_FILE
from system.account import secrets
from tests.engine.small_engine import PACKAGE, make_small_engine
from tests.making import make_run, make_user
from tests.waiting import wait_for
from training.models import Run

pytestmark = pytest.mark.django_db
SLEEPER = "import os, time; print('token', os.environ.get('HF_TOKEN'), flush=True); time.sleep(600)"


@pytest.fixture
def project(tmp_path, monkeypatch, settings):
    """Make the built-in engine one that imports next to nothing, with the given code as its imports."""
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    settings.BASE_DIR = make_small_engine(tmp_path / "project")

    def command(folder):
        return [sys.executable, str(script), str(folder)]

    monkeypatch.setitem(ENGINES, "builtin", replace(ENGINES["builtin"], command=command, package=PACKAGE))
    return settings.BASE_DIR


@pytest.fixture
def start(project, worker):
    """Have the worker start a new run; the processes are killed in the end."""
    started = []

    def start(**fields):
        make_run(**fields)
        worker.following = worker.claim_next()
        started.append(worker.following.process)
        return worker.following.process

    yield start
    for process in started:
        process.kill()
    worker.close()


def parent(process):
    return psutil.Process(process.identity.pid).ppid()


def test_each_run_begins_in_a_fork_of_the_same_template(start):
    first, second = start(), start()
    assert parent(first) == parent(second) != os.getpid()


def test_the_owner_s_token_reaches_the_fork_and_not_the_template(start):
    owner = make_user()
    secrets.set_secret(owner, "huggingface_token", "hf_secret")
    first, second = start(owner=owner), start()
    logs = [wait_for((process.folder / LOG_FILE).read_text) for process in (first, second)]
    assert logs == ["token hf_secret\n", "token None\n"]
    template = psutil.Process(parent(first))
    assert parent(second) == template.pid and "HF_TOKEN" not in template.environ()


def test_a_setting_turns_templates_off(start, settings):
    settings.WARM_ENGINE = False
    assert parent(start()) == os.getpid()


def test_a_worker_for_one_run_makes_no_template(start, worker):
    worker.once = True
    assert parent(start()) == os.getpid()


def test_a_template_that_fails_costs_no_run(start, project, caplog):
    make_small_engine(project, "raise ImportError('no such library')")
    assert parent(start()) == os.getpid()
    assert "no such library" in caplog.text


def test_a_changed_library_gets_a_new_template(start, project):
    first = parent(start())
    make_small_engine(project, "print('another version')")
    assert parent(start()) not in (first, os.getpid())


def test_the_run_of_a_fork_is_found_again_and_reports_the_signal_that_killed_it(start, worker):
    process = start()
    os.kill(process.identity.pid, signal.SIGKILL)
    wait_for(lambda: not worker.following.step(False))
    run = Run.objects.get()
    assert run.error_reason == "killed" and "SIGKILL" in run.error


def test_a_worker_that_is_to_end_claims_nothing_while_its_template_imports(project, worker):
    make_small_engine(project, f"import os, signal, time; os.kill({os.getpid()}, signal.SIGTERM); time.sleep(600)")
    make_run()
    before = signal.signal(signal.SIGTERM, worker.shut_down)
    assert worker.claim_next() is None
    signal.signal(signal.SIGTERM, before)
    assert Run.objects.get().status == Run.Status.QUEUED
    worker.close()
