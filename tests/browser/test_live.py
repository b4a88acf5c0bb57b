"""Pages that follow the training: by WebSocket, without it, and without JavaScript."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.looks import PHONE
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site(make_site, config):
    """A separate site, whose processes these tests kill, with a run that trains until it is stopped."""
    site = make_site("live").start("--no-demo")
    site.start_run(config)
    site.wait_for_step(3)
    return site


def number(page, name):
    return int(page.locator(f'#live [data-live="{name}"]').first.text_content())


def test_the_step_and_the_chart_move_without_a_reload(open_page):
    page = open_page("/")
    page.evaluate("window.sameDocument = true")
    page.locator("#loss-chart canvas").wait_for()
    before = number(page, "step")
    wait_for(lambda: page.wait_for_timeout(50) or number(page, "step") > before + 2, what="further steps")
    assert page.evaluate("window.sameDocument")
    assert page.locator("#connection").get_attribute("data-state") == "on"


def test_pressing_sample_brings_its_picture(open_page, site):
    page = open_page("/")
    count = len(site.api("GET", "samples/latest?count=100")["samples"])
    page.get_by_role("button", name="Sample").click()
    page.get_by_text("Samples of all prompts will be generated").wait_for()
    wait_for(lambda: len(site.api("GET", "samples/latest?count=100")["samples"]) > count, 60, "the sample")
    picture = page.locator(".thumbs img").first
    picture.wait_for()
    wait_for(lambda: picture.evaluate("image => image.complete && image.naturalWidth"), what="the picture")


def test_the_log_follows_what_the_process_writes(open_page, site):
    run_id = site.status()["run_id"]
    page = open_page(f"/runs/{run_id}/log/")
    page.wait_for_selector('#connection[data-state="on"]')
    with (site.folder / "runs" / run_id / "attempts" / "1" / "engine.log").open("a") as log:
        log.write("caching 1 %\rcaching 100 %\nall is cached\n")
    page.get_by_text("all is cached").wait_for()
    text = page.locator("#log").text_content()
    assert "caching 100 %" in text and "caching 1 %" not in text


def seen(page):
    """The first and the last step of the first chart's exported values."""
    with page.expect_download() as download:
        page.locator("#metric-loss [data-save=csv]").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("step,time,loss,smooth_loss")
    return int(lines[1].split(",")[0]), int(lines[-1].split(",")[0])


def test_charts_are_zoomed_by_dragging_stay_zoomed_during_training_and_export_the_shown_range(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/metrics/")
    chart = page.locator("#metric-loss .u-over")
    chart.wait_for()
    before = seen(page)[1]
    wait_for(lambda: page.wait_for_timeout(50) or seen(page)[1] > before, what="further steps")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 50, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Whole run").and_(page.locator(":enabled")).wait_for()
    zoomed = wait_for(lambda: page.wait_for_timeout(50) or (seen(page)[1] < before and seen(page)), what="the range")
    site.wait_for_step(site.status()["progress"]["global_step"] + 3)
    assert seen(page)[1] - zoomed[1] <= 1
    page.locator("#metric-loss .metric-plot").press("0")
    wait_for(lambda: page.wait_for_timeout(50) or seen(page)[1] > before, what="the whole run")


def test_charts_remember_their_options_and_their_cursors_are_linked(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/metrics/")
    page.get_by_label("X axis").select_option("epochs")
    page.get_by_label("Smoothing").fill("0.9")
    page.get_by_label("Log scale for loss").check()
    page.reload()
    page.locator("#metric-speed .u-over").wait_for()
    assert (page.get_by_label("X axis").input_value(), page.get_by_label("Smoothing").input_value()) == (
        "epochs",
        "0.9",
    )
    assert page.get_by_label("Log scale for loss").is_checked()
    page.locator("#metric-loss .metric-plot").press("ArrowLeft")
    expect(page.locator("#metric-speed [data-here]")).not_to_be_empty()
    assert "step" in page.locator("#metric-loss .metric-where").inner_text()


def test_smoothing_shifts_no_bend_and_outliers_are_hidden(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/metrics/")
    bump = page.evaluate(
        """async () => {
            const scripts = performance.getEntriesByType("resource").map((one) => one.name);
            const address = scripts.find((one) => one.includes("js/charts/curves"));
            const { smooth, withoutOutliers } = await import(address);
            const values = Array.from({ length: 101 }, (_, at) => (at === 50 ? 1 : 0));
            const smoothed = smooth(values, 0.8);
            const peak = smoothed.indexOf(Math.max(...smoothed));
            return [peak, smoothed[40] - smoothed[60], withoutOutliers([...values, 99])[1]];
        }"""
    )
    assert bump[0] == 50 and abs(bump[1]) < 1e-3 and bump[2] < 1


def test_without_javascript_everything_is_shown_and_buttons_return_to_the_page(open_page):
    page = open_page("/", java_script_enabled=False)
    assert number(page, "step") > 0
    assert page.locator("#loss-chart polyline").count() >= 1
    page.get_by_role("button", name="Back up").click()
    expect(page.get_by_text("A backup will be written")).to_be_visible()
    expect(page.get_by_role("link", name="Presets")).to_be_visible()


def test_a_page_reconnects_when_the_web_server_comes_back(open_page, site):
    page = open_page("/")
    page.wait_for_selector('#connection[data-state="on"]')
    site.kill("uvicorn")
    page.wait_for_selector('#connection[data-state="waiting"]:has-text("Reconnecting")')
    page.wait_for_selector('#connection[data-state="on"]')
    before = number(page, "step")
    wait_for(lambda: page.wait_for_timeout(50) or number(page, "step") > before, what="further steps")
    open_page.complaints.clear()  # browsers note each connection that was refused


def test_a_page_polls_while_redis_is_away(open_page, site):
    """A frozen Redis does not answer; a killed Redis is restarted."""
    page = open_page("/")
    page.wait_for_selector('#connection[data-state="on"]')
    frozen = site.process_of("valkey-server")
    frozen.suspend()
    page.get_by_text("Not live: this page checks every 5 seconds").wait_for()
    pictures = page.locator(".thumbs img").count()
    site.api("POST", "samples/default")
    before = number(page, "step")
    wait_for(lambda: page.wait_for_timeout(50) or number(page, "step") > before, what="further steps")
    wait_for(lambda: page.wait_for_timeout(50) or page.locator(".thumbs img").count() > pictures, 60, "the sample")
    assert page.locator("#not-live").is_visible()
    frozen.kill()
    page.wait_for_selector('#connection[data-state="on"]')
    page.locator("#not-live").wait_for(state="hidden")


def test_the_bar_stays_visible_and_the_title_shows_the_progress(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/", PHONE)
    page.mouse.wheel(0, 2000)
    wait_for(lambda: page.wait_for_timeout(50) or page.evaluate("scrollY") > 500, what="the scrolling")
    expect(page.get_by_role("button", name="Pause")).to_be_in_viewport()
    wait_for(lambda: page.wait_for_timeout(50) or " % · " in page.title(), what="the title")
    assert page.locator('link[rel="icon"]').get_attribute("href").startswith("data:image/png")
    assert page.locator('.run-bar [data-live="eta"]').inner_text() != "–"


def measured_speed(site, run_id):
    """Seconds per step, when measured; before that, pages show the trainer's own estimate."""
    with closing(sqlite3.connect(f"file:{site.folder / 'db.sqlite3'}?mode=ro", uri=True)) as database:
        row = database.execute(
            "select seconds_per_step from training_runprogress where run_id = ?", [run_id.replace("-", "")]
        )
        return row.fetchone()[0]


def test_the_time_left_of_a_continued_run_starts_from_its_last_value(open_page, site):
    run_id = site.status()["run_id"]
    wait_for(lambda: measured_speed(site, run_id), 60, "the run's speed")
    before = site.status()
    site.api("POST", "training/stop")
    site.wait_for_status("stopped")
    page = open_page(f"/runs/{run_id}/")
    left = page.locator('.run-bar [data-live="eta"]')
    expect(left).to_have_count(0)
    page.get_by_role("button", name="Continue from backup").click()
    began = wait_for(lambda: (state := site.status())["is_training"] and state, 60, "the start")
    assert began["eta_seconds"] == pytest.approx(before["eta_seconds"], rel=0.2)
    expect(left).to_have_text(re.compile(r"\d"))
    on = site.wait_for_step(before["progress"]["global_step"] + 20)
    assert on["attempt"] == before["attempt"] + 1
    assert on["eta_seconds"] == pytest.approx(before["eta_seconds"], rel=0.4)


# A browser without windows never grants notifications; this replacement grants and records them.
COUNT_NOTIFICATIONS = """
Object.defineProperty(Notification, "permission", { get: () => "granted" });
const Real = Notification;
window.shown = [];
window.Notification = class extends Real { constructor(title, facts) { super(title, facts); shown.push(facts); } };
"""


def test_a_run_is_paused_continued_and_stopped_by_its_buttons(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/", alone=True)
    page.context.add_init_script(COUNT_NOTIFICATIONS)
    page.reload()
    page.get_by_role("button", name="Notify me when it ends").click()
    page.get_by_role("button", name="Pause").click()
    page.locator(".run-sentence .pill-paused").wait_for()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.locator(".run-sentence .pill-running").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".run-sentence .pill-stopped").wait_for()
    page.get_by_role("button", name="Start again").wait_for()
    assert [one["silent"] for one in wait_for(lambda: page.evaluate("shown"), what="the notification")] == [True]
    assert " % · " not in page.title()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download final model").first.click()
    assert download.value.suggested_filename.endswith(".safetensors")
