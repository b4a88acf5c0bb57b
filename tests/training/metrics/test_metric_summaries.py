"""Curves of long runs, from what was summed up as they came."""

from __future__ import annotations

import math

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.making import make_run
from training.metrics.charts import curves
from training.metrics.summaries import WIDTH, spans, sum_up
from training.models import Metric, MetricSummary

pytestmark = pytest.mark.django_db
STEPS = 12_000


def value_of(step):
    return math.sin(step / 500) + (5.0 if step == 7001 else 0.0) - (3.0 if step == 11_999 else 0.0)


def measure(run, steps, attempt=1, tags=("loss",), value=value_of, **fields):
    Metric.objects.bulk_create(
        Metric(run=run, attempt=attempt, tag=tag, step=step, value=value(step), time=float(step), **fields)
        for tag in tags
        for step in steps
    )


@pytest.fixture
def run():
    run = make_run(status="running")
    measure(run, range(STEPS))
    return run


def extremes(curve):
    return min(curve["values"]), max(curve["values"])


def test_a_summed_up_curve_has_the_extremes_and_the_count_of_the_values(run):
    spans_of_steps = [(0, STEPS - 1), (100, 11_000), (6990, 7010), (7001, 7001), (0, 2**40)]
    views = [(points, first, last) for points in (4, 20, 100, 1200) for first, last in spans_of_steps]
    plain = {view: curves(run, ["loss"], *view)["loss"] for view in views}
    sum_up(run, 0)
    for view in views:
        points, first, last = view
        summed = curves(run, ["loss"], *view)["loss"]
        values = [value_of(step) for step in range(first, min(last, STEPS - 1) + 1)]
        assert len(summed["steps"]) <= points and summed["steps"] == sorted(set(summed["steps"])), view
        assert max(summed["values"]) == max(plain[view]["values"]) == max(values), view
        # a bucket at an end is taken as a whole
        assert summed["total"] >= len(values) == plain[view]["total"], view
        if "means" in summed:
            mean = sum(summed["means"]["values"]) / len(summed["means"]["values"])
            assert mean == pytest.approx(sum(values) / len(values), abs=0.2), view


def test_it_reads_few_rows_however_long_the_run(run):
    sum_up(run, 0)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        curves(run, ["loss"], 20)
    plain = [query["sql"] for query in queries if 'SELECT "training_metric"."tag"' in query["sql"]]
    assert len(queries) <= 12 and len(plain) == 1
    assert f'"step" >= {(STEPS - 1) // WIDTH * WIDTH}' in plain[0]


def test_summing_up_as_values_come_gives_the_same_as_at_once(run):
    once = make_run("Once", status="running")
    measure(once, range(STEPS), tags=("loss", "lr"))
    sum_up(once, 0)
    bit = make_run("Bit by bit", status="running")
    for begin in range(0, STEPS, 700):
        measure(bit, range(begin, min(STEPS, begin + 700)), tags=("loss", "lr"))
        sum_up(bit, begin)
    columns = [field.name for field in MetricSummary._meta.fields if field.name not in ("id", "run")]
    rows = [sorted(one.metric_summaries.values_list(*columns)) for one in (once, bit)]
    assert rows[0] == rows[1] and len(rows[0]) == 2 * (749 + 46 + 2)


def test_repeated_steps_replace_their_summaries(run):
    sum_up(run, 0)
    run.metrics.filter(step__gte=5000).update(superseded=True)
    measure(run, range(5000, 6000), attempt=2, value=lambda step: 9.0)
    sum_up(run, 5000)
    curve = curves(run, ["loss"], 100)["loss"]
    assert curve["total"] == 6000 and extremes(curve) == (min(map(value_of, range(5000))), 9.0)
    old = curves(run, ["loss"], 100, old=True)["loss"]
    assert old["steps"][0] >= 5000 and old["steps"][-1] > 11_900 and max(old["values"]) <= 6.0


def test_sparse_and_huge_steps_are_summed_up_too():
    run = make_run(status="running")
    measure(run, range(0, 10**12, 10**10), tags=("val",), value=float)
    sum_up(run, 0)
    curve = curves(run, ["val"], 50)["val"]
    assert (curve["total"], curve["values"][-1]) == (100, 99 * 10.0**10)


def test_the_span_of_each_tag_is_returned(run):
    measure(run, [3, 40], tags=("a/rate", "zz"))
    assert spans(run) == {"a/rate": (3, 40), "loss": (0, STEPS - 1), "zz": (3, 40)}
    assert spans(make_run("Empty")) == {}
