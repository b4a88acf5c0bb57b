"""The worker's share of preflights: a real child process that checks, dies, or is not wanted any more."""

import json
import os
import shutil
import signal
import threading

import psutil
import pytest
from django.db import DataError, OperationalError, ProgrammingError, connection

from presets.models import Preflight
from presets.preflight import requests as preflight
from tests.waiting import wait_for
from worker.preflight_thread import PreflightThread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def config(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    shutil.copytree(settings.DEMO_DIR / "dataset", tmp_path / "pictures")
    demo = json.loads((settings.DEMO_DIR / "config.json").read_text())
    return demo | {
        "base_model_name": str(settings.DEMO_DIR / "model"),
        "concepts": [{"path": str(tmp_path / "pictures")}],
    }


@pytest.fixture
def thread():
    thread = PreflightThread("here:cpu", "")
    yield thread
    thread.end()


def children():
    """This process's children that check a config."""
    return [child for child in psutil.Process().children(recursive=True) if "engine.preflight" in child.cmdline()]


def test_a_config_is_checked_and_the_answer_noted(config, thread):
    asked = preflight.request(None, config)
    assert thread.look()
    asked.refresh_from_db()
    assert (asked.status, asked.worker, asked.total) == (Preflight.Status.DONE, "here:cpu", 0)
    assert asked.estimate["memory"]["total"] > 0 and asked.estimate["batches"] == 2
    assert not any(problem["severity"] == "error" for problem in asked.problems)


def test_the_child_that_checks_gets_none_of_the_site_s_keys(config, thread, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY", "of the site")
    monkeypatch.setenv("DATABASE_URL", "postgres://of.the.site/")
    (tmp_path / "spec.json").write_text(json.dumps({"config": config, "engine": "builtin", "gpus": []}))
    with (tmp_path / "errors").open("w") as errors:
        child = thread._start(tmp_path / "spec.json", errors)
    # at its very beginning, while the kernel still loads it, a process shows no environment at all
    inherited = wait_for(psutil.Process(child.pid).environ, what="the child's environment")
    child.kill()
    child.communicate()
    assert "PATH" in inherited and not {"SECRET_KEY", "DATABASE_URL"} & inherited.keys()


def test_with_nothing_to_check_nothing_is_done(thread):
    assert not thread.look()


def test_a_broken_picture_is_found(config, thread, tmp_path):
    (tmp_path / "pictures" / "star-04.png").write_bytes(b"broken")
    asked = preflight.request(None, config)
    thread.look()
    asked.refresh_from_db()
    assert "star-04.png" in next(one["message"] for one in asked.problems if one["severity"] == "error")


def test_a_folder_that_goes_away_meanwhile_is_a_problem_not_a_failure(config, thread, tmp_path):
    asked = preflight.request(None, config)
    shutil.rmtree(tmp_path / "pictures")
    thread.look()
    asked.refresh_from_db()
    assert asked.status == Preflight.Status.DONE
    assert "is not there" in asked.problems[0]["message"]


def test_a_child_that_is_killed_fails_the_check_with_a_sentence(config, thread, tmp_path):
    os.mkfifo(tmp_path / "pictures" / "endless.txt")  # reading this caption never ends
    shutil.copy(tmp_path / "pictures" / "star-01.png", tmp_path / "pictures" / "endless.png")
    asked = preflight.request(None, config)
    thread.start()
    child = wait_for(lambda: next(iter(children()), None))
    child.send_signal(signal.SIGKILL)
    wait_for(lambda: Preflight.objects.get(pk=asked.pk).is_ended)
    asked.refresh_from_db()
    assert (asked.status, "start it again" in asked.error) == (Preflight.Status.FAILED, True)


def failing_at_first(real, error, when=lambda **changes: True):
    """The real function, but for its first call of that kind, which fails."""
    errors = [error]

    def call(*arguments, **changes):
        if errors and when(**changes):
            raise errors.pop()
        return real(*arguments, **changes)

    return call


def says_the_result(**changes):
    return changes.get("status") == Preflight.Status.DONE


def test_a_result_that_the_database_does_not_take_just_now_is_noted_later(config, thread, monkeypatch):
    locked = OperationalError("database is locked")
    monkeypatch.setattr(preflight, "say", failing_at_first(preflight.say, locked, says_the_result))
    asked = preflight.request(None, config)
    assert thread.look()
    asked.refresh_from_db()
    assert (asked.status, asked.error) == (Preflight.Status.DONE, "")


def test_a_result_that_the_database_never_takes_fails_the_check_with_a_sentence(config, thread, monkeypatch, caplog):
    refused = DataError("value too long")
    monkeypatch.setattr(preflight, "say", failing_at_first(preflight.say, refused, says_the_result))
    asked = preflight.request(None, config)
    assert thread.look()
    asked.refresh_from_db()
    assert asked.status == Preflight.Status.FAILED
    assert "value too long" in asked.error and "start it again" in asked.error
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("gone"), ProgrammingError("no such column"), KeyError("odd")])
def test_the_thread_lives_on_whatever_it_meets(config, thread, monkeypatch, error):
    monkeypatch.setattr(preflight, "take", failing_at_first(preflight.take, error))
    asked = preflight.request(None, config)
    thread.start()
    wait_for(lambda: Preflight.objects.get(pk=asked.pk).is_ended)
    asked.refresh_from_db()
    assert asked.status == Preflight.Status.DONE


def test_a_check_that_nobody_wants_any_more_is_ended(config, thread, tmp_path):
    os.mkfifo(tmp_path / "pictures" / "endless.txt")
    shutil.copy(tmp_path / "pictures" / "star-01.png", tmp_path / "pictures" / "endless.png")
    preflight.request(None, config)
    thread.start()
    wait_for(children)
    Preflight.objects.all().delete()
    wait_for(lambda: not children())


def test_a_worker_that_ends_leaves_its_check_to_another(config, thread, tmp_path):
    os.mkfifo(tmp_path / "pictures" / "endless.txt")
    shutil.copy(tmp_path / "pictures" / "star-01.png", tmp_path / "pictures" / "endless.png")
    asked = preflight.request(None, config)
    thread.start()
    wait_for(children)
    thread.end()
    asked.refresh_from_db()
    assert (asked.status, children()) == (Preflight.Status.WAITING, [])


def test_the_thread_closes_its_connection(config, thread):
    thread.start()
    wait_for(lambda: any(each.name == "preflights" for each in threading.enumerate()))
    thread.end()
    assert connection.is_usable()
