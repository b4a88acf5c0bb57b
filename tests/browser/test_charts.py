"""The charts of a run with known numbers: the effect of each control on the curve."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.waiting import wait_for

ROWS = """
from django.contrib.auth.models import User
from django.utils.timezone import now
from presets.config.configs import full_config
from samples.models import Sample
from training.models import Artifact, Metric, Run
facts = {"status": "finished", "attempt": 1, "started_at": now(), "ended_at": now()}
admin = User.objects.get(username="admin")
run = Run.objects.create(name="Straight", config=full_config("builtin", {}), owner=admin, **facts)
run.progress.write(global_step=200, max_step=10, max_epoch=20)
start = now().timestamp()
values = {
    "loss": lambda step: 1e6 if step == 7 else step + 1,
    "steps_per_second": lambda step: 2, "gpu_memory_gb": lambda step: 6, "gpu_temperature_c": lambda step: 55,
}
Metric.objects.bulk_create(
    Metric(run=run, attempt=1, tag=tag, step=step, value=value(step), time=start + step**2)
    for tag, value in values.items() for step in range(200)
)
Artifact.objects.create(run=run, attempt=1, sequence=1, kind="backup", path="gone", global_step=100)
Sample.objects.create(run=run, attempt=1, sequence=2, path="gone.png", global_step=150)
single = Run.objects.create(name="نجمة", config=run.config, owner=admin, **facts)
single.progress.write(global_step=1, max_step=10, max_epoch=20)
Metric.objects.create(run=single, attempt=1, tag="loss", step=0, value=0.5, time=start)
print(run.pk, single.pk)
"""
# The height of the line in the middle of the chart, from 0 at the bottom to 1 at the top; the line has the first colour
# of charts.
HEIGHT = """(element) => {
    const canvas = element.querySelector("canvas"), over = element.querySelector(".u-over");
    if (!canvas || !over) return null;
    const wanted = getComputedStyle(element).getPropertyValue("--chart-1");
    const colour = wanted.match(/\\w\\w/g).map((part) => parseInt(part, 16));
    const ratio = canvas.width / canvas.clientWidth;
    const high = Math.floor(over.offsetHeight * ratio), middle = (over.offsetLeft + over.offsetWidth / 2) * ratio;
    const { data } = canvas.getContext("2d").getImageData(middle, over.offsetTop * ratio, 1, high);
    const away = (row) => colour.reduce((sum, part, at) => sum + Math.abs(part - data[4 * row + at]), 0);
    const isDrawn = (row) => data[4 * row + 3] > 120 && away(row) < 60;
    const rows = Array.from({ length: high }, (_, row) => row).filter(isDrawn);
    return rows.length ? 1 - (rows[0] + rows.at(-1)) / 2 / high : null;
}"""


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


@pytest.fixture(scope="module")
def runs(site):
    return site.manage("shell", "-v", "0", "-c", f"exec({ROWS!r})").splitlines()[-1].split()


@pytest.fixture(scope="module")
def straight(runs):
    """A run whose loss equals its step, except for one outlier; each step took longer than the step before."""
    return runs[0]


@pytest.fixture
def charts(open_page, straight):
    page = open_page(f"/runs/{straight}/metrics/", timezone_id="Asia/Tokyo")
    page.get_by_label("Smoothing").fill("0")
    page.locator("#metric-temperature .u-over").wait_for()
    return page


def stands_at(page, low, high):
    """Wait until the line of the loss is between these heights in the middle of its chart."""
    height = None

    def does():
        nonlocal height
        height = page.locator("#metric-loss").evaluate(HEIGHT)
        return height is not None and low <= height <= high

    wait_for(lambda: does() or page.wait_for_timeout(50), 10, f"a height of {low} to {high}")


def test_the_curve_is_drawn_without_outliers_on_a_log_axis_by_time_and_smoothed(charts):
    stands_at(charts, 0, 0.1)
    charts.get_by_label("Hide outliers").check()
    stands_at(charts, 0.4, 0.6)
    charts.get_by_label("X axis").select_option("times")
    stands_at(charts, 0.6, 0.8)
    charts.get_by_label("X axis").select_option("epochs")
    stands_at(charts, 0.4, 0.6)
    charts.get_by_label("Log scale for loss").check()
    stands_at(charts, 0.25, 0.4)
    charts.reload()
    expect(charts.get_by_label("Hide outliers")).to_be_checked()
    expect(charts.get_by_label("X axis")).to_have_value("epochs")
    stands_at(charts, 0.25, 0.4)


def test_a_run_of_one_step_is_a_point_in_the_middle_and_its_files_have_its_name(open_page, runs):
    page = open_page(f"/runs/{runs[1]}/metrics/")
    stands_at(page, 0.4, 0.6)
    with page.expect_download() as table:
        page.get_by_role("button", name="CSV of Loss").click()
    assert table.value.suggested_filename == "نجمة loss.csv"


def test_an_axis_is_labelled_by_powers_of_ten_or_evenly_over_a_short_range(charts):
    scripts = charts.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    curves = next(name for name in scripts if "js/charts/curves" in name)
    ticks = f"async ([low, high]) => (await import({curves!r})).logTicks(low, high)"
    assert charts.evaluate(ticks, [0.9, 120]) == [1, 2, 5, 10, 20, 50, 100]
    assert charts.evaluate(ticks, [0.106, 0.192]) == [0.12, 0.14, 0.16, 0.18]


def test_smoothing_draws_a_second_line_and_samples_and_backups_have_marks(charts):
    drawn = "element => element.toDataURL()"
    canvas = charts.locator("#metric-loss canvas")
    plain = canvas.evaluate(drawn)
    charts.get_by_label("Marks").uncheck()
    unmarked = canvas.evaluate(drawn)
    assert unmarked != plain
    charts.get_by_label("Marks").check()
    assert canvas.evaluate(drawn) == plain
    charts.get_by_label("Smoothing").fill("0.9")
    expect(charts.locator("#metric-settings output")).to_have_text("0.90")
    assert canvas.evaluate(drawn) != plain


def test_a_cursor_is_shown_in_all_charts_and_the_zoomed_range_is_saved_as_table_and_picture(charts):
    charts.locator("#metric-loss .u-over").hover()
    for chart, value in (("memory", "6"), ("temperature", "55"), ("speed", "2")):
        expect(charts.locator(f"#metric-{chart} [data-here]")).to_have_text(value)
    expect(charts.locator("#metric-where-loss")).to_have_text(re.compile(r"^step (99|100|101) · "))
    charts.get_by_role("button", name="Zoom in").click()
    expect(charts.get_by_role("button", name="Whole run")).to_be_enabled()
    with charts.expect_download() as table:
        charts.get_by_role("button", name="CSV of Loss").click()
    steps = [int(line.partition(",")[0]) for line in table.value.path().read_text().splitlines()[1:]]
    assert 50 <= steps[0] <= 51 and 148 <= steps[-1] <= 150
    with charts.expect_download() as picture:
        charts.get_by_role("button", name="PNG of GPU temperature").click()
    assert picture.value.suggested_filename == "Straight temperature.png"
    with Image.open(picture.value.path()) as image:
        assert image.format == "PNG" and image.width >= 300
    charts.get_by_role("button", name="Whole run").click()
    expect(charts.get_by_role("button", name="Whole run")).to_be_disabled()
