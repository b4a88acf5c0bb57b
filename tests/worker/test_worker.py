"""The worker: what it takes over, and how it ends what it follows."""

import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils.timezone import now

from engine.engines import ENGINES
from engine.launcher import SPEC_FILE
from system.account import secrets
from system.models import Worker
from system.worker_name import NameLock
from tests.making import make_run, make_user
from tests.training.files import back_up
from tests.waiting import wait_for
from training.models import Run, RunCommand
from training.runs.service import TrainerService
from worker.attempt import COMMAND_SECONDS, LINGER_SECONDS, Following
from worker.gpu_worker import GpuWorker
from worker.host_config import engine_config

pytestmark = pytest.mark.django_db
SLEEPER = "import time; time.sleep(600)"
ENDED = """
import json, sys, time, pathlib
event = {"sequence": 1, "time": time.time(), "kind": "ended", "data": {"reason": "finished"}}
(pathlib.Path(sys.argv[1]) / "journal.jsonl").write_text(json.dumps(event) + "\\n")
time.sleep(600)
"""


@pytest.fixture
def engine(monkeypatch):
    """Make the given program the built-in engine."""

    def use(code):
        def command(folder):
            return [sys.executable, "-c", code, str(folder)]

        monkeypatch.setitem(ENGINES, "builtin", replace(ENGINES["builtin"], command=command, package=""))

    use(SLEEPER)
    return use


def active_run(worker_name="here:cpu", **fields):
    host = {"host": fields.pop("host", "elsewhere"), "heartbeat_at": fields.pop("heartbeat_at", now())}
    owner, _ = Worker.objects.get_or_create(name=worker_name, defaults=host)
    return make_run(status=Run.Status.STARTING, worker=owner, **fields)


@pytest.mark.django_db(transaction=True)  # a worker gives up its connection, and with it a transaction
def test_a_second_worker_of_the_same_name_is_refused():
    held = NameLock("twin")
    held.take()
    with pytest.raises(CommandError, match="A worker named twin runs already"):
        call_command("gpu_worker", name="twin", once=True)
    held.release()
    call_command("gpu_worker", name="twin", once=True)


def test_the_run_of_a_worker_that_is_only_late_is_left_to_it(worker):
    late = {"host": worker.host, "heartbeat_at": now() - timedelta(minutes=5)}
    run = active_run("here:gpu1", **late)
    held = NameLock("here:gpu1")
    held.take()
    assert worker.find_orphan() is None
    held.release()
    assert worker.find_orphan().run == run


@pytest.mark.django_db(transaction=True)  # a turn gives up an old connection, and with it a transaction
def test_a_run_that_was_claimed_and_never_began_is_queued_again(worker):
    run = active_run()
    assert worker.turn()
    run.refresh_from_db()
    assert run.attempt == 1 and run.retries_left == run.retries - 1
    assert run.status == Run.Status.QUEUED


def test_a_run_whose_process_cannot_be_started_fails_with_a_sentence(worker, engine):
    run = make_run()
    (run.attempt_folder.with_name("1") / SPEC_FILE).mkdir(parents=True)  # so that no such file can be written
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert (run.status, run.error_reason) == (Run.Status.FAILED, "not_started")
    assert "Is a directory" in run.error


def test_a_run_that_starts_again_forgets_why_it_was_interrupted(worker, engine):
    make_run(error="It was killed.", error_reason="killed", log_tail="Killed")
    worker.following = worker.claim_next()
    run = worker.following.run
    assert (run.error, run.error_reason, run.log_tail, run.start_after) == ("", "", "", None)


TELLING = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
(folder / "told.part").write_text(os.environ.get("HF_TOKEN", "none"))
(folder / "told.part").rename(folder / "told")
"""


@pytest.mark.parametrize(("with_token", "expected"), [(True, "hf_adas"), (False, "hf_worker")])
def test_the_engine_gets_its_owner_s_token_by_its_environment_alone(worker, engine, monkeypatch, with_token, expected):
    monkeypatch.setenv("HF_TOKEN", "hf_worker")
    engine(TELLING)
    owner = make_user()
    if with_token:
        secrets.set_secret(owner, "huggingface_token", "hf_adas")
    run = make_run(owner=owner)
    worker.following = worker.claim_next()
    run.refresh_from_db()
    told = run.attempt_folder / "told"
    wait_for(told.exists)
    assert told.read_text() == expected
    others = [file for file in run.attempt_folder.iterdir() if file.is_file() and file != told]
    assert others and not any(b"hf_" in file.read_bytes() for file in others)


def test_a_run_whose_owner_s_token_cannot_be_read_fails_with_the_cure(worker, engine, settings):
    owner = make_user()
    secrets.set_secret(owner, "huggingface_token", "hf_adas")
    settings.SECRET_KEY = "another"
    run = make_run(owner=owner)
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED and "account page" in run.error


def test_a_shutdown_is_requested_again_if_the_database_was_unreachable(worker, clock, engine, monkeypatch):
    make_run()
    worker.following = following = worker.claim_next()
    with monkeypatch.context() as broken:
        broken.setattr(following.run, "refresh_from_db", away)
        with pytest.raises(OperationalError):
            following.step(shutting_down=True)
    clock.sleep(COMMAND_SECONDS)
    following.step(shutting_down=True)
    assert following.run.status == Run.Status.STOPPING
    assert [command.kind for command in following.run.commands.all()] == ["stop"]


def test_a_process_that_runs_on_after_its_last_event_is_killed(worker, clock, engine):
    engine(ENDED)
    make_run()
    worker.following = following = worker.claim_next()
    wait_for(lambda: following.step(False) and not following.run.is_active, what="the last word")
    assert following.step(False) and following.process.alive
    clock.sleep(LINGER_SECONDS)
    wait_for(lambda: not following.step(False), what="the end")
    assert following.run.status == Run.Status.FINISHED
    assert not following.process.alive


def test_an_interrupted_run_continues_from_its_newest_complete_backup(worker, engine):
    engine("")  # ends without a word
    make_run(retries_left=1)
    worker.following = following = worker.claim_next()
    (following.run.attempt_folder / "journal.jsonl").touch()
    whole, damaged = back_up(following.run, 10), back_up(following.run, 20)
    (damaged / "weights").write_bytes(b"w" * 98)
    wait_for(lambda: not following.step(False), what="the end")
    following.run.refresh_from_db()
    assert (following.run.status, following.run.resume_from) == (Run.Status.QUEUED, str(whole))


def test_the_commands_of_a_run_without_a_process_are_closed(worker):
    run = active_run(retries_left=0)
    for kind in ("stop", "backup"):
        run.commands.create(attempt=1, kind=kind)
    assert Following(run, None, worker.publisher).step(False) is False
    assert run.status == Run.Status.INTERRUPTED
    assert not run.commands.filter(status__in=RunCommand.OPEN).exists()


def test_a_command_for_a_run_that_has_just_ended_is_refused_and_leaves_no_row():
    run = make_run(status=Run.Status.RUNNING)
    Run.objects.update(status=Run.Status.FINISHED)
    with pytest.raises(Exception, match="and not training"):
        TrainerService().backup(run)
    assert not RunCommand.objects.exists()


def test_whichever_gpu_a_config_names_the_process_sees_the_workers_own_as_its_only_one():
    run = make_run(config={"train_device": "cuda:1"})
    assert engine_config(run, on_gpu=True)[0]["train_device"] == "cuda"
    assert engine_config(run, on_gpu=False)[0]["train_device"] == "cpu"


def away(*args, **kwargs):
    raise OperationalError("database is locked")


@pytest.fixture
def newer_database():
    """The emptying of the tables after a test leaves out the one of the migrations."""
    recorder, upgrade = MigrationRecorder(connection), ("training", "9999_upgrade")
    recorder.record_applied(*upgrade)
    yield
    recorder.record_unapplied(*upgrade)


@pytest.mark.django_db(transaction=True)  # a worker gives up its connection, and with it a transaction
@pytest.mark.usefixtures("newer_database")
def test_a_worker_takes_no_run_from_a_newer_database_and_says_so(clock, engine, caplog):
    """It was forgotten in an upgrade: it waits, and does not crash again and again."""
    run = make_run()
    worker = GpuWorker("here:cpu", clock=clock)
    assert worker.turn() and worker.turn() and worker.turn()
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    assert caplog.text.count("newer than this program (training.9999_upgrade)") == 1


def test_a_worker_with_a_clock_that_was_set_back_does_not_look_alive_for_long():
    worker = Worker.objects.create(name="a", host="a", heartbeat_at=now() + timedelta(hours=1))
    assert not worker.is_alive
    assert not Worker.objects.alive().exists()
