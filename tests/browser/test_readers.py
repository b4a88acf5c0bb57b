"""The reader's time zone, live pages after sleep or a lost network, and every shortcut."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site(busy_site):
    return busy_site


def step(page):
    return int(page.locator('#live [data-live="step"]').first.text_content())


def moves_on(page):
    before = step(page)
    wait_for(lambda: page.wait_for_timeout(50) or step(page) > before, what="further steps")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_times_are_in_the_readers_time_zone_in_the_browser(open_page, site, zone):
    run = site.run(site.status()["run_id"])
    created = datetime.fromisoformat(run["created_at"]).astimezone(ZoneInfo(zone))
    page = open_page("/runs/", timezone_id=zone)
    page.reload()  # the first page sent the time zone
    date = page.locator(f"#row-{run['id']} time")
    expect(date).to_have_text(f"{created:%Y-%m-%d %H:%M}")
    page.goto(f"{site.address}/runs/{run['id']}/timeline/?order=oldest")
    expect(page.locator(".moment time").first).to_contain_text(f"{created:%H:%M}")


def test_a_page_reports_that_it_is_stale_without_a_network_and_then_reconnects(open_page):
    page = open_page("/")
    page.evaluate("window.sameDocument = true")
    page.wait_for_selector('#connection[data-state="on"]')
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    expect(page.locator("#not-live")).to_have_text(re.compile("checks every 5 seconds|out of date"))
    page.get_by_role("button", name="Back up").click()
    expect(page.locator("#messages")).to_contain_text("Not done: the server did not answer")
    page.context.set_offline(False)
    page.wait_for_selector('#connection[data-state="on"]')
    expect(page.locator("#not-live")).to_be_hidden()
    moves_on(page)
    assert page.evaluate("sameDocument")
    open_page.complaints.clear()  # browsers note each request that failed


def opened_sockets(page):
    """WebSockets that the page opens from now on."""
    found: list[Any] = []
    page.on("websocket", lambda socket: found.append(socket))
    return found


@contextmanager
def asleep(page):
    """Freeze the page with its scripts, which Chromium keeps running in a visible page."""
    devtools = page.context.new_cdp_session(page)
    page.evaluate("window.beats = [performance.now()]; setInterval(() => beats.push(performance.now()), 50)")
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    devtools.send("Debugger.enable")
    devtools.send("Debugger.pause")
    yield
    devtools.send("Debugger.resume")
    devtools.send("Debugger.disable")
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    # The page may have slept before its first beat or since its last beat, so both ends count too.
    pauses = "[...beats, performance.now()].slice(1).map((beat, at) => beat - beats[at])"
    assert page.evaluate(f"Math.max(...{pauses})") > 400, "it did not sleep"


def test_a_page_whose_connection_died_during_sleep_reports_it_and_reconnects(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/")
    page.wait_for_selector('#connection[data-state="on"]')
    sockets = opened_sockets(page)
    with asleep(page):
        page.context.set_offline(True)
        missed = site.status()["progress"]["global_step"] + 30
        site.wait_for_step(missed)
    assert step(page) < missed
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    expect(page.locator("#not-live")).to_have_text(re.compile("checks every 5 seconds|out of date"))
    page.route(lambda address: True, lambda route: route.fulfill(status=204))  # its requests get no answer
    page.context.set_offline(False)
    page.wait_for_selector('#connection[data-state="on"]')
    expect(page.locator("#not-live")).to_be_hidden()
    news: list[Any] = []
    for socket in sockets:
        socket.on("framereceived", lambda frame: news.append(frame))
    wait_for(lambda: page.wait_for_timeout(50) or step(page) > missed, what="the present step")
    moves_on(page)
    assert any('"training_state"' in str(one) for one in news)
    assert any(not socket.is_closed() for socket in sockets)
    open_page.complaints.clear()


def test_the_shortcut_sheet_lists_the_keys_of_its_page_and_they_work(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/metrics/")
    page.locator("#metric-loss .u-over").wait_for()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Charts, when a chart has the focus")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/queue/")
    page.get_by_role("button", name="Shortcuts").click()
    expect(page.locator("#shortcuts").get_by_role("heading", name="Queue")).to_be_visible()
