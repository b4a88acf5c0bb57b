"""The way of measurements: from the journal through its sums into charts, the API and the table of runs."""

from __future__ import annotations

import pytest
from django.urls import reverse

from engine.interface.journal import FILE_NAME, JournalWriter
from tests.making import make_run
from training.metrics.loss_lines import draw_loss
from training.metrics.summaries import WIDTH, sum_up
from training.models import Run
from worker.ingest import JournalReader

pytestmark = pytest.mark.django_db
FIRST, SECOND = range(1200), range(800, 1000)  # the steps of two attempts, the second of which resumes from a backup
AGAIN = 0.25  # the loss of the second attempt


def loss_of(step):
    return 2.0 - step / 1000


def measure(run, steps, value):
    """Write the events to the present attempt's journal, which is read repeatedly as it grows."""
    run.attempt_folder.mkdir(parents=True)
    journal, reader = JournalWriter(run.attempt_folder / FILE_NAME), JournalReader(run)
    for step in steps:
        journal.append("metrics", {"step": step, "values": {"loss": value(step), "smooth_loss": value(step)}})
        if step % 300 == 0 or step == steps[-1]:
            reader.read()
    journal.close()


@pytest.fixture
def run():
    run = make_run("Twice", Run.Status.RUNNING)
    measure(run, FIRST, loss_of)
    assert run.move_to(Run.Status.RUNNING, attempt=2, progress={"journal_offset": 0, "journal_sequence": 0})
    measure(run, SECOND, lambda step: AGAIN)
    return run


def curve_of(client, run, **asked):
    answer = client.get(f"/api/runs/{run.pk}/metrics/", {"tag": "loss", "points": 20, **asked})
    return answer.json()["series"]["loss"]


def test_the_visible_range_is_thinned_but_keeps_its_extremes(client, trainer, run):
    curve = curve_of(client, run, **{"from": 100, "to": 899})
    assert 4 <= len(curve["steps"]) <= 20 and curve["steps"] == sorted(curve["steps"])
    assert min(curve["values"]) == AGAIN and max(curve["values"]) == pytest.approx(loss_of(100), abs=0.02)
    assert run.metric_summaries.filter(level=2).exists()


def test_steps_that_were_trained_again_are_shown_separately(client, trainer, run):
    assert SECOND[-1] - WIDTH < max(curve_of(client, run)["steps"]) <= SECOND[-1]
    old = curve_of(client, run, old="true", points=100)
    assert (old["steps"][0], old["steps"][-1]) == (SECOND[0], FIRST[-1]) and AGAIN not in old["values"]


def test_incremental_sums_equal_sums_over_all_steps(run):
    facts = ("level", "tag", "bucket", "count", "total", "low_step", "low_value", "high_step", "high_value")
    as_it_came = sorted(run.metric_summaries.values_list(*facts))
    run.metric_summaries.all().delete()
    sum_up(run, 0)
    assert sorted(run.metric_summaries.values_list(*facts)) == as_it_came


def test_the_table_shows_the_loss_and_sorts_by_it(client, trainer, run):
    make_run("Worse", Run.Status.FINISHED, smooth_loss=1.5)
    draw_loss(run)
    run.summary.refresh_from_db()
    line = run.summary.loss_line
    assert len(line) == 40 and line[-1] == AGAIN and line[:32] == sorted(line[:32], reverse=True)
    table = client.get(reverse("runs"), {"sort": "loss", "q": "learning_rate="})
    assert [row.name for row in table.context["page"]] == ["Twice", "Worse"]
    assert "<polyline" in table.text
