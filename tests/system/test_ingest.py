"""From the journal into the database."""

import pytest

from engine.interface.journal import FILE_NAME, JournalWriter
from system.ingest import JournalReader, StaleAttempt
from tests.making import make_run
from training.models import Run, RunCommand

pytestmark = pytest.mark.django_db
PROGRESS = {"epoch": 0, "epoch_step": 1, "epoch_sample": 2, "global_step": 1, "max_step": 3, "max_epoch": 2}


@pytest.fixture
def run():
    run = make_run(status=Run.Status.RUNNING)
    run.attempt_folder.mkdir(parents=True)
    return run


@pytest.fixture
def journal(run):
    return JournalWriter(run.attempt_folder / FILE_NAME)


def test_a_run_that_is_to_stop_does_not_go_back_to_running(run, journal):
    Run.objects.update(status=Run.Status.STOPPING)
    journal.append("started", {"pid": 1})
    journal.append("phase", {"phase": "paused"})
    journal.append("phase", {"phase": "training"})
    JournalReader(run).read()
    assert run.status == Run.Status.STOPPING
    journal.append("ended", {"reason": "stopped"})
    JournalReader(run).read()
    assert run.status == Run.Status.STOPPED


def test_an_event_that_lacks_something_does_not_hold_up_those_after_it(run, journal):
    for kind in ("progress", "metrics", "sample", "artifact", "command_done", "phase", "failed", "status"):
        journal.append(kind, {})
    journal.append("metrics", {"step": 0, "values": {"loss": 0.5}})
    journal.append("progress", PROGRESS)
    JournalReader(run).read()
    assert (run.loss, run.global_step, run.journal_sequence) == (0.5, 1, 10)
    assert run.events.filter(kind="damaged").count() == 8


def test_the_same_events_are_never_taken_in_twice(run, journal):
    journal.append("metrics", {"step": 0, "values": {"loss": 0.5}})
    other = JournalReader(Run.objects.get())
    JournalReader(run).read()
    with pytest.raises(StaleAttempt):
        other.read()
    assert run.metrics.count() == 1


def test_what_was_not_done_when_the_run_ended_has_expired_and_a_stop_is_done(run, journal):
    for kind in ("backup", "stop"):
        run.commands.create(attempt=1, kind=kind)
    journal.append("ended", {"reason": "stopped"})
    JournalReader(run).read()
    assert dict(run.commands.values_list("kind", "status")) == {
        "backup": RunCommand.Status.EXPIRED,
        "stop": RunCommand.Status.DONE,
    }


def test_the_greatest_memory_peak_of_all_attempts_is_kept_beside_the_estimate(run, journal):
    Run.objects.update(memory_estimate={"total": 0, "parts": {"weights": 2**30, "CUDA context": 2**29}})
    for step, peak in enumerate((0.5, 2.0, 1.0)):
        journal.append("metrics", {"step": step, "values": {"peak_memory_gb": peak}})
    run.refresh_from_db()
    JournalReader(run).read()
    assert (run.memory_peak, run.memory_expected, run.memory_error) == (2 * 2**30, 2**30, -0.5)
