"""The metrics tab: its groups, its tables, its marks."""

from __future__ import annotations

import pytest

from samples.models import Sample
from tests.making import make_run
from training.metrics.tab import charts_of, marks_of
from training.models import Artifact, Metric

pytestmark = pytest.mark.django_db


def measure(run, tags, steps=4):
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag=tag, step=step, value=abs(step - 2.0), time=step)
        for tag in tags
        for step in range(steps)
    )


def test_metrics_of_a_kind_share_a_chart_and_the_losses_come_first():
    run = make_run(status="running")
    measure(run, ["zeta", "lr/unet", "lr/text_encoder", "steps_per_second", "gpu_temperature_c", "smooth_loss", "loss"])
    charts = [(chart.key, chart.tags) for chart in charts_of(run)]
    assert charts == [
        ("loss", ["loss", "smooth_loss"]),
        ("rates", ["lr/text_encoder", "lr/unet"]),
        ("speed", ["steps_per_second"]),
        ("temperature", ["gpu_temperature_c"]),
        ("of-zeta", ["zeta"]),
    ]


def test_numbered_metrics_are_in_the_order_of_their_numbers():
    run = make_run(status="running")
    measure(run, ["lr/10", "lr/2", "lr/1"])
    assert charts_of(run)[0].tags == ["lr/1", "lr/2", "lr/10"]


def test_a_table_shows_the_last_value_and_the_extremes_with_their_steps():
    run = make_run(status="running")
    measure(run, ["loss"])
    (row,) = charts_of(run)[0].rows
    assert (row.last, row.lowest, row.highest) == (1.0, (0.0, 2), (2.0, 0))


def test_the_first_chart_s_curves_are_requested_with_the_page_and_not_only_by_its_script(client, viewer):
    run = make_run(status="running")
    measure(run, ["loss", "smooth_loss"])
    page = client.get(f"/runs/{run.pk}/metrics/").content.decode()
    address = f"/api/runs/{run.pk}/metrics?points=900&amp;tag=loss&amp;tag=smooth_loss"
    assert f'<link rel="preload" as="fetch" crossorigin href="{address}">' in page
    assert f'data-curves="{address}"' in page
    assert client.get(address.replace("&amp;", "&")).json()["series"].keys() == {"loss", "smooth_loss"}


def test_samples_files_and_continuations_are_marked():
    run = make_run(status="running", attempt=2)
    Sample.objects.create(run=run, attempt=1, sequence=1, path="/a.png", global_step=3)
    Artifact.objects.create(run=run, attempt=1, sequence=2, kind="backup", path="/b", global_step=4)
    run.events.create(attempt=1, kind="started")
    again = run.events.create(attempt=2, kind="started")
    assert marks_of(run) == [
        {"kind": "sample", "step": 3},
        {"kind": "backup", "step": 4},
        {"kind": "resume", "time": again.at.timestamp()},
    ]


def test_the_tab_needs_as_many_queries_for_many_metrics_as_for_few(
    client, django_user_model, django_assert_max_num_queries
):
    client.force_login(django_user_model.objects.create_superuser("ada"))
    run = make_run(status="running")
    measure(run, [f"tag {number}" for number in range(30)], steps=100)
    with django_assert_max_num_queries(25):
        page = client.get(f"/runs/{run.pk}/metrics/").text
    assert page.count('class="card metric-chart') == 30 and page.count("<polyline") == 30
