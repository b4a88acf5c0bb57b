"""Pages that move with the training: by the WebSocket, without it, and without JavaScript."""

from __future__ import annotations

from tests.waiting import wait_for


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
    page.get_by_text("Samples of all prompts will be drawn").wait_for()
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


def test_without_javascript_all_is_shown_and_buttons_lead_back(open_page):
    page = open_page("/", java_script_enabled=False)
    assert number(page, "step") > 0
    assert page.locator("#loss-chart polyline").count() >= 1
    page.get_by_role("button", name="Backup").click()
    assert page.get_by_text("A backup will be written").is_visible()
    assert page.get_by_role("link", name="Presets").is_visible()


def test_a_page_reconnects_when_the_web_server_comes_back(open_page, site):
    page = open_page("/")
    connection = page.locator("#connection")
    page.wait_for_selector('#connection[data-state="on"]')
    site.kill("daphne")
    page.wait_for_selector('#connection[data-state="waiting"]')
    assert "Reconnecting" in connection.inner_text()
    page.wait_for_selector('#connection[data-state="on"]', timeout=60_000)
    before = number(page, "step")
    wait_for(lambda: page.wait_for_timeout(50) or number(page, "step") > before, what="further steps")
    open_page.complaints.clear()  # browsers note each connection that was refused


def test_a_run_is_paused_continued_and_stopped_by_its_buttons(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/")
    page.get_by_role("button", name="Pause").click()
    page.locator(".run-sentence .pill-paused").wait_for()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.locator(".run-sentence .pill-running").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".run-sentence .pill-stopped").wait_for(timeout=60_000)
    page.get_by_role("button", name="Start again").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download final model").first.click()
    assert download.value.suggested_filename.endswith(".safetensors")
