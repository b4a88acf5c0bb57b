"""The progress of a run in a table of its own: how older data gets there, and what a pass over a journal writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from engine.interface.journal import FILE_NAME, JournalWriter
from tests.making import make_run
from tests.needs import needs_postgres
from tests.servers import postgres_server
from training.models import Run
from worker.ingest import JournalReader

UPGRADE = """
import json
import django
django.setup()
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from engine.interface.journal import FILE_NAME, JournalWriter

def migrated_to(name):
    targets = [leaf for leaf in MigrationExecutor(connection).loader.graph.leaf_nodes() if leaf[0] != "training"]
    executor = MigrationExecutor(connection)
    return executor.migrate([*targets, ("training", name)]).apps

settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
old = migrated_to("0016_time_left").get_model("training", "Run")
place = {"epoch": 1, "epoch_step": 2, "epoch_sample": 4, "global_step": 12, "max_step": 10, "max_epoch": 3}
measured = {"loss": 0.5, "times": {"backup": 2.5}, "since_step": ["sampling"], "memory_peak": 3 * 2**30}
run = old.objects.create(name="Going on", config={}, status="running", attempt=1, **place, **measured)
old.objects.create(name="Waiting", config={}, max_epoch=7)
folder = settings.DATA_DIR / "runs" / str(run.pk) / "attempts" / "1"
folder.mkdir(parents=True)
journal = JournalWriter(folder / FILE_NAME)
journal.append("started", {})
old.objects.filter(pk=run.pk).update(journal_offset=(folder / FILE_NAME).stat().st_size, journal_sequence=1)
journal.append("progress", place | {"global_step": 13})
journal.append("metrics", {"step": 12, "values": {"loss": 0.25}})
migrated_to(next(name for app, name in MigrationExecutor(connection).loader.graph.leaf_nodes() if app == "training"))

from training.models import Run, RunProgress
from worker.ingest import JournalReader
run = Run.objects.get(name="Going on")
kept = RunProgress.objects.filter(pk=run.pk).values().get() | {"run_id": None}
JournalReader(run).read()
run.refresh_from_db()
waiting = Run.objects.get(name="Waiting").progress
print(json.dumps([kept, [run.progress.global_step, run.progress.loss, run.progress.journal_sequence,
                         run.events.count(), run.metrics.count()], waiting.max_epoch, waiting.times]))
before = migrated_to("0016_time_left").get_model("training", "Run").objects.get(pk=run.pk)
assert (before.global_step, before.loss) == (run.progress.global_step, run.progress.loss)
"""


@contextmanager
def no_server():
    yield None


@pytest.mark.parametrize("server", [no_server, pytest.param(postgres_server, marks=needs_postgres)])
def test_a_run_of_before_keeps_its_progress_and_its_journal_is_read_on(server, tmp_path):
    with server() as database:
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment |= {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "onetrainer_site.settings"}
        environment |= {"DATABASE_URL": database.url} if database else {}
        command = [sys.executable, "-c", UPGRADE]
        done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept, went_on, epochs, times = json.loads(done.stdout.splitlines()[-1])
    assert kept["journal_offset"] > 0 and kept["journal_sequence"] == 1
    assert (kept["epoch"], kept["epoch_step"], kept["epoch_sample"], kept["global_step"]) == (1, 2, 4, 12)
    assert (kept["max_step"], kept["max_epoch"], kept["loss"], kept["smooth_loss"]) == (10, 3, 0.5, None)
    assert (kept["times"], kept["since_step"], kept["memory_peak"]) == ({"backup": 2.5}, ["sampling"], 3 * 2**30)
    assert went_on == [13, 0.25, 3, 0, 1], "the event that had been read is not taken in a second time"
    assert (epochs, times) == (7, {})


@pytest.fixture
def training(db):
    """A run that trains, with the journal of its engine process and who reads that."""
    run = make_run(status=Run.Status.RUNNING)
    run.attempt_folder.mkdir(parents=True)
    return JournalWriter(run.attempt_folder / FILE_NAME), JournalReader(run)


def progress_of(step):
    return {"epoch": 0, "epoch_step": step, "epoch_sample": step, "global_step": step, "max_step": 9, "max_epoch": 9}


def test_a_pass_with_steps_alone_writes_the_short_row_and_leaves_the_long_one(training):
    journal, reader = training
    journal.append("progress", progress_of(1))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        reader.read()
    written = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]
    assert written == ["training_runprogress"]


def test_a_pass_after_the_first_reads_each_row_once(training):
    journal, reader = training
    for step in (1, 2):
        journal.append("progress", progress_of(step))
        with CaptureQueriesContext(connection) as queries:
            reader.read()
    read = [query["sql"] for query in queries if 'FROM "training_runprogress"' in query["sql"]]
    assert len(read) == 1, "the lock alone; what it wrote is not read again"


def test_a_change_of_status_that_another_process_was_first_with_leaves_the_progress_alone(db):
    run = make_run(status=Run.Status.QUEUED, global_step=5)
    Run.objects.update(status=Run.Status.CANCELLED)
    assert not run.move_to(Run.Status.STARTING, attempt=1, progress={"global_step": 0})
    assert Run.objects.get().progress.global_step == 5
