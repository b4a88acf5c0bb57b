"""From the journal into the database."""

import json

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from engine.interface.journal import FILE_NAME, JournalWriter
from system.models import Worker
from tests.making import make_run
from training.models import Artifact, Run, RunCommand
from web.database import OtherSchema
from worker.ingest import JournalReader, StaleAttempt

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
    assert (run.progress.loss, run.progress.global_step, run.progress.journal_sequence) == (0.5, 1, 10)
    assert run.events.filter(kind="damaged").count() == 8


def test_the_same_events_are_never_stored_twice(run, journal):
    journal.append("metrics", {"step": 0, "values": {"loss": 0.5}})
    other = JournalReader(Run.objects.get())
    JournalReader(run).read()
    with pytest.raises(StaleAttempt):
        other.read()
    assert run.metrics.count() == 1


def test_a_moved_model_is_found_at_its_new_path(run, journal):
    """Else its row would offer the weights of the newer one, and delete them."""
    host, elsewhere = (Worker.objects.create(name=name, host=name) for name in ("here", "elsewhere"))
    Run.objects.update(worker=host)
    run.refresh_from_db()
    for worker in (host, elsewhere):
        make_run(status=Run.Status.STOPPED, worker=worker).artifacts.create(
            attempt=1, sequence=1, kind="model", path="/models/stars.safetensors"
        )
    told = {"kind": "model", "path": "/models/stars.safetensors", "global_step": 4, "epoch": 2, "size": 9}
    journal.append("artifact", {**told, "earlier": "/models/stars-before.safetensors"})
    JournalReader(run).read()
    found = dict(Artifact.objects.values_list("run__worker__name", "path").exclude(run=run))
    assert found == {"here": "/models/stars-before.safetensors", "elsewhere": "/models/stars.safetensors"}
    assert run.artifacts.get().path == "/models/stars.safetensors"


def test_open_commands_of_an_ended_run_have_expired_and_a_stop_is_done(run, journal):
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
    assert (run.progress.memory_peak, run.memory_expected, run.memory_error) == (2 * 2**30, 2**30, -0.5)


def test_an_event_that_the_database_refuses_does_not_block_later_events(run, journal):
    """PostgreSQL takes no character 0, SQLite no such number, and neither a word for a loss."""
    journal.append("metrics", {"step": 0, "values": {"loss": 0.5}})
    journal.append("metrics", {"step": 1, "values": {"loss": "low"}})
    journal.append("artifact", {"kind": "save", "path": "a", "size": 2**70, "global_step": 1, "epoch": 0})
    journal.append("status", {"text": "a\0b \udc80"})
    journal.append("metrics", {"step": 2, "values": {"loss": 0.25}})
    reader = JournalReader(run)
    reader.read()
    assert list(run.metrics.values_list("step", flat=True)) == [0, 2]
    assert [event.data["kind"] for event in run.events.filter(kind="damaged")] == ["metrics", "artifact"]
    assert run.status_text == "a\ufffdb ?"
    assert run.progress.journal_sequence == 5
    assert reader.read() == []


def test_an_event_with_an_impossible_number_or_time_is_damaged(run, journal):
    path = run.attempt_folder / FILE_NAME
    with path.open("a") as file:
        for sequence, moment in ((2**70, 1), (1, 1e300), ("x", 1), (2, None)):
            file.write(
                json.dumps({"sequence": sequence, "time": moment, "kind": "status", "data": {"text": ""}}) + "\n"
            )
    JournalReader(run).read()
    assert run.events.filter(kind="damaged").count() == 4


def test_another_schema_damages_nothing(run, journal):
    """An old worker on a newer database leaves the events to its successor."""
    journal.append("metrics", {"step": 0, "values": {"loss": "low"}})
    MigrationRecorder(connection).record_applied("training", "9999_from_the_future")
    with pytest.raises(OtherSchema, match="newer"):
        JournalReader(run).read()
    run.refresh_from_db()
    assert run.progress.journal_offset == 0


@pytest.mark.parametrize(("resumed_after", "kept"), [(4, {0, 2, 4}), (0, set())])
def test_samples_of_steps_that_a_later_attempt_trains_again_are_superseded(run, resumed_after, kept):
    for step in (0, 2, 4, 6):
        facts = {"path": f"/tmp/{step}.png", "global_step": step, "epoch": 0}
        run.samples.create(attempt=1, sequence=step + 1, **facts)
    Run.objects.update(attempt=2)
    run.refresh_from_db()
    run.attempt_folder.mkdir()
    journal = JournalWriter(run.attempt_folder / FILE_NAME)
    journal.append("metrics", {"step": resumed_after, "values": {"loss": 0.5}})
    JournalReader(run).read()
    assert set(run.samples.present().values_list("global_step", flat=True)) == kept
