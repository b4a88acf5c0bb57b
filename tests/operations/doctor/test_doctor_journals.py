"""The doctor: journals against rows."""

import json

import pytest

from engine.interface.journal import FILE_NAME
from operations.doctor.finding import LOOK, NOTE, WRONG
from samples.models import Sample
from tests.operations.doctor.doctor_world import found_by, mend, read, told_run, writer
from training.models import Artifact, Metric, Run, RunEvent, RunProgress

pytestmark = pytest.mark.django_db
TABLES = (Metric, RunEvent, Sample, Artifact)


@pytest.fixture(autouse=True)
def a_data_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def journals():
    return found_by("Journals")


def rows():
    """Everything that a journal makes, without keys and what a row is stamped with."""
    fields = {
        Metric: ("attempt", "tag", "step", "value", "superseded"),
        RunEvent: ("attempt", "sequence", "kind", "data"),
        Sample: ("attempt", "sequence", "path", "prompt", "settings"),
        Artifact: ("attempt", "sequence", "path", "size", "global_step"),
    }
    return {table: sorted(map(repr, table.objects.values_list(*fields[table]))) for table in TABLES}


def lines_of(run):
    return (run.attempt_folder / FILE_NAME).read_text().splitlines(keepends=True)


def rewrite(run, lines):
    (run.attempt_folder / FILE_NAME).write_text("".join(lines))


def test_a_run_whose_journal_is_in_the_database_is_fine():
    told_run()
    assert journals() == []


@pytest.mark.parametrize("table", TABLES)
def test_rows_missing_from_the_database_are_reported_and_read_again(table):
    run = told_run()
    before = rows()
    lost = table.objects.exclude(kind="status_changed") if table is RunEvent else table.objects.all()
    lost.filter(pk__in=list(lost.values_list("pk", flat=True))[:3]).delete()
    (finding,) = journals()
    assert finding.level == WRONG and str(run.pk) in finding.sentence
    mend([finding])
    assert journals() == []
    assert rows() == before


def test_a_replaced_value_is_found_even_if_the_count_is_right():
    told_run()
    Metric.objects.filter(tag="loss", step=1).update(step=100)
    assert "1 value" in journals()[0].sentence


def test_rows_of_an_earlier_attempt_come_back_as_superseded_as_they_were():
    run = told_run(status=Run.Status.RUNNING)
    Run.objects.update(attempt=2)
    RunProgress.objects.update(journal_offset=0, journal_sequence=0)
    run.refresh_from_db()
    journal = writer(run)
    for step in (3, 4):
        journal.append("metrics", {"step": step, "values": {"loss": 0.4, "lr/unet": 0.1}})
    read(run)
    Run.objects.update(status=Run.Status.STOPPED)
    before = rows()
    Metric.objects.filter(attempt=1).delete()
    mend(journals())
    assert rows() == before
    assert Metric.objects.filter(superseded=True).count() == 4


def test_later_events_of_a_stale_attempt_are_not_read(settings):
    run = told_run()
    run.move_to(Run.Status.QUEUED)
    run.move_to(Run.Status.STARTING, attempt=2, progress={"journal_offset": 0, "journal_sequence": 0})
    stale = run.folder / "attempts" / "1" / FILE_NAME
    line = {"sequence": 10, "time": 5e9, "kind": "metrics", "data": {"step": 9, "values": {"loss": 1.0}}}
    with stale.open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert journals() == []
    assert "refused" in found_by("Journals", NOTE)[0].sentence


def test_lines_that_came_too_late_to_be_read_are_read_by_mending():
    run = told_run(status=Run.Status.INTERRUPTED)
    with (run.attempt_folder / FILE_NAME).open("a") as file:
        event = {"sequence": 10, "time": 1.0, "kind": "metrics", "data": {"step": 9, "values": {"loss": 1.0}}}
        file.write(json.dumps(event) + "\n")
    (finding,) = journals()
    assert "1 line is not read yet" in finding.sentence
    assert mend([finding]) == ["1 line is in the database now."]
    assert Metric.objects.filter(step=9).count() == 1
    assert journals() == []


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda lines: lines[:3] + lines[4:], "1 line is missing between others"),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], "1 line is doubled or out of order"),
        (lambda lines: [*lines[:3], "no JSON\n", *lines[4:]], "1 line is damaged"),
        (lambda lines: lines[:-1], "shorter than the part that was read"),
    ],
)
def test_a_journal_out_of_order_is_reported(spoil, expected):
    run = told_run()
    rewrite(run, spoil(lines_of(run)))
    assert any(expected in finding.sentence for finding in journals()), journals()


def test_a_missing_journal_is_reported():
    run = told_run()
    (run.attempt_folder / FILE_NAME).unlink()
    (finding,) = journals()
    assert finding.level == LOOK and "is missing" in finding.sentence


def test_a_row_that_was_removed_with_its_file_is_not_missed():
    told_run()
    sample = Sample.objects.get()
    sample.file.unlink()
    sample.delete()
    assert journals() == []


def test_a_training_run_may_be_ahead_of_the_examined_rows():
    run = told_run(status=Run.Status.RUNNING)
    Metric.objects.create(run=run, attempt=1, tag="loss", step=100, value=1, time=0)
    assert journals() == []
