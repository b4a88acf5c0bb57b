"""The worker's share of preflights: a real child process that checks, dies, or is not wanted any more."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread

import psutil
import pytest
from django.db import DataError, OperationalError, ProgrammingError, connection
from django.utils.timezone import now
from PIL import Image

from presets.models import Draft, Preflight
from presets.preflight import requests as preflight
from presets.preflight.waiting import Awaited
from system.models import Job
from tests import waiting
from tests.making import make_living_worker, make_user
from training.models import Run
from training.runs.draft_starts import start_draft
from worker.job_process import CommandProcess
from worker.job_runner import PROCESSES, JobKeeper

# The child that checks imports torch at low priority, which takes minutes while other processes want the machine.
wait_for = partial(waiting.wait_for, timeout=300)
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
def keeper():
    keeper = JobKeeper("here:cpu")
    yield keeper
    keeper.end()


@pytest.fixture
def endless(config, tmp_path):
    """A config whose check takes minutes: it decodes hundreds of large pictures, which differ in their last bytes."""
    first = tmp_path / "pictures" / "large.png"
    Image.new("RGB", (4000, 4000)).save(first)
    content = first.read_bytes()
    for number in range(400):
        first.with_name(f"large-{number}.png").write_bytes(content + bytes(str(number), "ascii"))
    return config


def children():
    """This process's children that check a config."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            found += [child] if "engine.preflight" in child.cmdline() else []
        except psutil.NoSuchProcess:
            continue
    return found


def ended(asked):
    """The check, as it is once it has ended."""

    def look():
        asked.refresh_from_db()
        return asked.is_ended

    wait_for(look, what="the end of the check")
    return asked


def test_a_config_is_checked_the_answer_noted_and_the_run_queued_whose_start_waited_for_it(config, keeper, settings):
    settings.PREFLIGHT_SECONDS = 300
    make_living_worker()
    user = make_user(is_staff=True)
    draft = Draft.objects.create(user=user, engine="builtin", config=config, facts={"name": "Unattended"})
    with pytest.raises(Awaited) as awaited:
        start_draft(user, draft)  # the page is closed from now on
    asked = awaited.value.preflight
    keeper.start()
    ended(asked)
    run = wait_for(Run.objects.first, what="the run")
    assert (run.name, run.owner, run.status) == ("Unattended", user, Run.Status.QUEUED)
    assert (asked.status, asked.worker, asked.total) == (Job.Status.DONE, "here:cpu", 0)
    assert asked.estimate["memory"]["total"] > 0 and asked.result["estimate"]["batches"] == 2
    assert not any(problem["severity"] == "error" for problem in asked.problems)


def test_the_child_that_checks_gets_none_of_the_site_s_keys(endless, keeper, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "of the site")
    monkeypatch.setenv("DATABASE_URL", "postgres://of.the.site/")
    preflight.request(None, endless)
    keeper.start()
    child = wait_for(lambda: next(iter(children()), None))
    # at its very beginning, while the kernel still loads it, a process shows no environment at all
    inherited = wait_for(child.environ, what="the child's environment")
    assert "PATH" in inherited and not {"SECRET_KEY", "DATABASE_URL"} & inherited.keys()


def test_a_broken_picture_is_found(config, keeper, tmp_path):
    (tmp_path / "pictures" / "star-04.png").write_bytes(b"broken")
    asked = preflight.request(None, config)
    keeper.start()
    problems = ended(asked).problems
    assert "star-04.png" in next(one["message"] for one in problems if one["severity"] == "error")


def test_a_folder_that_disappears_during_the_check_is_a_problem_not_a_failure(config, keeper, tmp_path):
    asked = preflight.request(None, config)
    shutil.rmtree(tmp_path / "pictures")
    keeper.start()
    assert ended(asked).status == Job.Status.DONE
    assert "does not exist" in asked.problems[0]["message"]


def test_a_child_that_is_killed_fails_the_check_with_a_sentence(endless, keeper):
    asked = preflight.request(None, endless)
    keeper.start()
    wait_for(children)[0].send_signal(signal.SIGKILL)
    ended(asked)
    assert (asked.status, "start it again" in asked.error) == (Job.Status.FAILED, True)


def test_a_check_shows_its_progress_and_sends_heartbeats(endless, keeper):
    asked = preflight.request(None, endless)
    keeper.start()
    wait_for(lambda: Preflight.objects.get(pk=asked.pk).stage, what="the name of the part that is checked")
    Job.objects.update(heartbeat_at=now() - timedelta(seconds=9))
    wait_for(lambda: not Job.objects.filter(heartbeat_at__lt=now() - timedelta(seconds=8)), what="a heartbeat")


def failing_at_first(real, error, when=lambda **changes: True):
    """The real function, but for its first call of that kind, which fails."""
    errors = [error]

    def call(*arguments, **changes):
        if errors and when(**changes):
            raise errors.pop()
        return real(*arguments, **changes)

    return call


def says_the_result(**changes):
    return changes.get("status") == Job.Status.DONE


def test_a_result_that_the_database_does_not_take_just_now_is_noted_later(config, keeper, monkeypatch):
    locked = OperationalError("database is locked")
    monkeypatch.setattr(Job, "change", failing_at_first(Job.change, locked, says_the_result))
    asked = preflight.request(None, config)
    keeper.start()
    assert (ended(asked).status, asked.error) == (Job.Status.DONE, "")


def test_a_result_that_the_database_never_takes_fails_the_check_with_a_sentence(config, keeper, monkeypatch, caplog):
    refused = DataError("value too long")
    monkeypatch.setattr(Job, "change", failing_at_first(Job.change, refused, says_the_result))
    asked = preflight.request(None, config)
    keeper.start()
    assert ended(asked).status == Job.Status.FAILED
    assert "value too long" in asked.error and "start it again" in asked.error
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("gone"), ProgrammingError("no such column"), KeyError("odd")])
def test_the_thread_lives_on_whatever_it_meets(config, keeper, error):
    keeper.step = failing_at_first(keeper.step, error)
    asked = preflight.request(None, config)
    keeper.start()
    assert ended(asked).status == Job.Status.DONE


def test_a_check_without_a_reader_is_ended(endless, keeper):
    preflight.request(None, endless)
    keeper.start()
    wait_for(children)
    Preflight.objects.all().delete()
    wait_for(lambda: not children())


def test_a_worker_that_ends_leaves_its_check_to_another(endless, keeper):
    asked = preflight.request(None, endless)
    keeper.start()
    wait_for(children)
    keeper.end()
    asked.refresh_from_db()
    assert (asked.status, children()) == (Job.Status.WAITING, [])


def test_the_thread_closes_its_connection(keeper):
    keeper.start()
    wait_for(keeper.is_alive)
    keeper.end()
    assert connection.is_usable()


class Sleeping(CommandProcess):
    def start(self):
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_a_check_waits_behind_no_other_job(config, keeper, monkeypatch):
    """Not even where this worker does as many jobs as it may."""
    monkeypatch.setitem(PROCESSES, Job.Kind.MEASURE, Sleeping)
    for _ in range(CommandProcess.most_at_once + 1):
        Job.objects.create(kind=Job.Kind.MEASURE, host="here")
    asked = preflight.request(None, config)
    keeper.start()
    assert ended(asked).status == Job.Status.DONE
    running = Job.objects.filter(kind=Job.Kind.MEASURE, status=Job.Status.RUNNING)
    assert running.count() == CommandProcess.most_at_once


def test_of_two_workers_that_race_for_a_check_one_does_it(config, monkeypatch):
    """Both have seen that it waits before either claims it."""
    both_have_seen_it = Barrier(2)
    take = Job.take

    def take_together(job, worker):
        both_have_seen_it.wait(60)
        return take(job, worker)

    monkeypatch.setattr(Job, "take", take_together)
    asked = preflight.request(None, config)
    keepers = [JobKeeper("one", ""), JobKeeper("two", "")]
    steps = [Thread(target=_look_once, args=(keeper,)) for keeper in keepers]
    for step in steps:
        step.start()
    for step in steps:
        step.join()
    assert sorted(len(keeper.processes) for keeper in keepers) == [0, 1]
    asked.refresh_from_db()
    assert (asked.status, asked.claim) == (Job.Status.RUNNING, 1)
    for keeper in keepers:
        keeper.close()


def _look_once(keeper):
    keeper.look()
    connection.close()


WORKER = """
import django
django.setup()
from worker.job_runner import JobKeeper
keeper = JobKeeper("killed")
keeper.start()
keeper.join()
"""


def url_of_this_database():
    name, given = connection.settings_dict["NAME"], os.environ.get("DATABASE_URL", "")
    return f"{given.rpartition('/')[0]}/{name}" if given else f"sqlite:///{name}"


def test_a_check_whose_worker_is_killed_is_done_by_another(endless, keeper, tmp_path):
    """The worker and its child are gone at once; the job is claimed again when its lease has ended."""
    asked = preflight.request(None, endless)
    environment = {**os.environ, "DATABASE_URL": url_of_this_database(), "ALLOWED_ROOTS": str(tmp_path)}
    environment["DJANGO_SETTINGS_MODULE"] = "onetrainer_site.settings"
    with subprocess.Popen([sys.executable, "-c", WORKER], env=environment) as worker:
        wait_for(children, what="the other worker's child")
        worker.kill()
    wait_for(lambda: not children(), what="the end of the child")
    for picture in (tmp_path / "pictures").glob("large*.png"):
        picture.unlink()
    keeper.start()
    ended(asked)
    assert (asked.status, asked.worker, asked.claim) == (Job.Status.DONE, "here:cpu", 2)
