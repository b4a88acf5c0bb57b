"""A run that was continued by a click before its worker was back: first it reads what the process had written."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from engine.engines import ENGINES
from engine.interface.journal import FILE_NAME, JournalWriter
from tests.making import make_run, make_user, trainable_config
from tests.training.files import back_up
from training.models import Run
from training.runs.continuation import Continuation
from worker.ingest import JournalReader

pytestmark = pytest.mark.django_db
Status = Run.Status
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PROGRESS = {"epoch": 1, "epoch_step": 0, "epoch_sample": 0, "global_step": 20, "max_step": 20, "max_epoch": 2}


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    engine = replace(ENGINES["builtin"], command=lambda folder: SLEEPER, package="")
    monkeypatch.setitem(ENGINES, "builtin", engine)


@pytest.fixture
def run():
    """It has lost its worker after a backup at step 10."""
    run = make_run(
        status=Status.INTERRUPTED, error_reason="lost_worker", attempt=1, config=trainable_config(epochs=2), max_epoch=2
    )
    run.attempt_folder.mkdir(parents=True)
    back_up(run, 10)
    run.artifacts.update(sequence=0)
    return run


@pytest.fixture
def journal(run):
    """Its process trains on: 20 steps, and a backup that nobody has heard of."""
    journal = JournalWriter(run.attempt_folder / FILE_NAME)
    journal.append("metrics", {"step": 19, "values": {"loss": 0.5}})
    journal.append("progress", PROGRESS)
    path = back_up(run, 20)
    run.artifacts.filter(path=str(path)).delete()
    journal.append("artifact", {"kind": "backup", "path": str(path), "global_step": 20, "epoch": 1})
    return journal


def go_on(run, **asked):
    return Continuation(make_user()).continue_run(run, **asked)


def backup_of(run):
    run.refresh_from_db()
    return run.goes_on_from.global_step


def test_no_event_is_lost_and_the_run_continues_from_the_newest_backup(run, journal, worker):
    go_on(run)
    worker.following = worker.claim_next()
    assert backup_of(run) == 20
    assert (run.status, run.attempt, run.progress.global_step) == (Status.STARTING, 2, 20)
    assert run.metrics.get().value == 0.5
    assert "from the backup of step 20" in run.events.get(kind="warning").data["message"]


def test_an_older_backup_that_was_chosen_is_obeyed(run, journal, worker):
    back_up(run, 12)
    go_on(run, backup=run.artifacts.get(global_step=10))
    worker.following = worker.claim_next()
    assert backup_of(run) == 10
    assert run.metrics.exists() and run.artifacts.count() == 3


def test_a_run_that_reached_its_last_step_has_finished(run, journal, worker):
    journal.append("ended", {"reason": "finished"})
    go_on(run)
    assert worker.claim_next() is None
    run.refresh_from_db()
    assert (run.status, run.attempt, run.progress.global_step, run.error) == (Status.FINISHED, 1, 20, "")


def test_a_run_with_more_epochs_than_it_trained_continues(run, journal, worker):
    journal.append("ended", {"reason": "finished"})
    go_on(run, epochs=5)
    worker.following = worker.claim_next()
    assert backup_of(run) == 20
    assert (run.status, run.attempt, run.progress.max_epoch) == (Status.STARTING, 2, 5)


def test_one_whose_journal_was_read_is_started_at_once(run, journal, worker):
    while JournalReader(run).read():
        pass
    Run.objects.update(status=Status.INTERRUPTED, error_reason="killed")
    run.refresh_from_db()
    go_on(run, backup=run.artifacts.get(global_step=10))
    worker.following = worker.claim_next()
    assert backup_of(run) == 10
    assert not run.events.filter(kind="warning").exists()
