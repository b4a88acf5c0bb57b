"""How pages write numbers, and what is drawn of a run's metrics."""

from __future__ import annotations

import pytest

from tests.making import make_run
from training.metrics.charts import drawing, lines, tags_of
from training.models import Metric, Run, RunProgress
from training.templatetags.runs import epoch_done, epoch_shown
from web.templatetags.formats import doing, duration, loss, percent, speed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7325, "2 h 2 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "–"), (2.5, "2.50 steps/s"), (0.4, "2.50 s/step")])
def test_a_slow_speed_is_shown_in_seconds_per_step(value, text):
    assert speed(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.123456, "0.1235"), (12.0, "12"), (1.2814e-6, "1.281e-6")])
def test_a_loss_has_four_digits_that_matter(value, text):
    assert loss(value) == text


def test_a_run_s_action_is_shown_without_dots_so_that_the_sentence_continues():
    assert [doing(text) for text in ("Sampling ...", "caching 20 of 32", "")] == ["Sampling", "caching 20 of 32", ""]


def test_a_run_is_at_100_percent_only_when_all_is_done():
    assert (percent(0.999), percent(1.0)) == (99, 100)


def at(**progress):
    run = Run()
    run.progress = RunProgress(**progress)
    return run


def test_epochs_are_counted_from_one_and_end_with_the_last():
    run = at(epoch=4, max_epoch=4, max_step=10, global_step=40)
    assert (epoch_shown(run), epoch_done(run)) == (4, 1.0)
    assert epoch_done(at(epoch=1, epoch_step=5, max_step=10, max_epoch=4, global_step=15)) == 0.5


def measure(run, tag, values, **fields):
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag=tag, step=step, value=value, time=step, **fields)
        for step, value in enumerate(values)
    )


@pytest.mark.django_db
def test_losses_come_first_and_repeated_steps_have_no_line():
    run = make_run(status=Run.Status.RUNNING)
    measure(run, "a/rate", [1.0])
    measure(run, "loss", [1.0])
    measure(run, "gone", [1.0], superseded=True)
    assert tags_of(run) == ["loss", "a/rate", "gone"]
    assert lines(run, ["gone"]) == []


@pytest.mark.django_db
def test_a_long_line_is_thinned_and_keeps_its_peaks():
    run = make_run(status=Run.Status.RUNNING)
    measure(run, "loss", [9.0 if step == 700 else 1.0 for step in range(2000)])
    (line,) = lines(run, ["loss"], points=100)
    assert len(line["steps"]) <= 100
    assert max(line["values"]) == 9.0


def test_a_drawing_spans_its_box():
    line = {"tag": "loss", "steps": [10, 20], "values": [1.0, 3.0], "times": [0, 1]}
    drawn = drawing([line])
    assert drawn["lines"][0]["points"] == "0.0,160.0 600.0,0.0"


@pytest.mark.parametrize("drawn", [[], [{"tag": "loss", "steps": [3], "values": [1.0], "times": [0]}]])
def test_no_value_and_a_single_value_can_be_shown(drawn):
    assert (drawing(drawn) is None) == (not drawn)
