"""Queued runs are held, prioritised and cancelled next to a worker's lane; a clean-up is previewed, then done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site(busy_site):
    return busy_site


@pytest.fixture(scope="module")
def waiting(site, config):
    """Two runs that are planned for 2031, so no worker starts them."""
    for name in ("Early", "Late"):
        run = site.api("POST", "runs/", {"config_dict": config, "name": name, "overrides": {}})
        site.api("PATCH", f"queue/{run['id']}", {"start_after": "2031-02-03T04:05Z"})


def rows(page):
    return page.locator(".queue-row").filter(has_text="Early").or_(page.locator(".queue-row").filter(has_text="Late"))


def test_a_queued_run_is_held_prioritised_and_cancelled_next_to_the_lane_of_the_worker(open_page, site, waiting):
    training = site.run(site.status()["run_id"])["name"]
    page = open_page("/queue/")
    lane = page.locator(".lane")
    expect(lane.get_by_role("link", name=training)).to_be_visible()
    before = lane.get_by_role("progressbar").evaluate("bar => bar.value")
    expect(rows(page).locator(".queue-name")).to_have_text(["Early", "Late"])
    expect(rows(page).first).to_contain_text("starts")
    page.get_by_role("button", name="Hold Early").click()
    expect(rows(page).first).to_contain_text("admin")
    page.get_by_role("button", name="Let Early start").click()
    expect(page.get_by_role("button", name="Hold Early")).to_be_focused()
    page.get_by_role("link", name="Plan Late").click()
    expect(page.get_by_label("Not before")).to_have_value("2031-02-03T04:05")
    page.get_by_label("Priority").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(rows(page).locator(".queue-name")).to_have_text(["Late", "Early"])
    expect(rows(page).first.locator(".queue-priority")).to_have_text("priority 7")
    page.get_by_role("button", name="Cancel Late").click()
    page.locator("#messages").get_by_role("button", name="Undo").click()
    expect(page.locator("#messages .undo")).to_have_count(0)
    page.get_by_role("button", name="Cancel Late").click()
    expect(page.get_by_text("“Late” was removed from the queue.")).to_be_visible()
    expect(rows(page).locator(".queue-name")).to_have_text(["Early"])
    wait_for(
        lambda: page.wait_for_timeout(50) or lane.get_by_role("progressbar").evaluate("bar => bar.value") > before,
        what="the lane's progress",
    )


@pytest.fixture
def saves(site):
    """The saved models of the running run: two at least."""
    run = site.status()["run_id"]

    def saved_files():
        found = site.api("GET", f"runs/{run}/artifacts/")["results"]
        return [Path(one["path"]) for one in found if one["kind"] == "save" and Path(one["path"]).exists()]

    for count in (1, 2):
        if len(saved_files()) < count:
            site.api("POST", "training/save")
        wait_for(lambda least=count: len(saved_files()) >= least, 60, "the save")
    return saved_files


def test_a_clean_up_is_previewed_then_done_and_reports_the_freed_space(open_page, site, saves):
    page = open_page("/system/cleanup/")
    page.get_by_label("Saved models", exact=True).check()
    page.get_by_label("Run", exact=True).select_option(site.status()["run_id"])
    page.get_by_label("Keep the newest", exact=True).fill("1")
    page.get_by_role("button", name="Preview").click()
    plan = page.locator("#plan")
    going = plan.locator("tbody tr")
    expect(plan).to_contain_text("Items that stay")
    assert going.count() + 1 == len(saves())  # no file is deleted yet
    page.get_by_role("button", name="Delete these items").click()
    job = page.locator("#cleanups li").first
    expect(job).to_have_text(re.compile(r"\d+ items? \w+ deleted, which freed \d"))
    expect(job).to_contain_text("by admin")
    expect(job.locator(".pill")).to_have_text("done")
    assert len(saves()) == 1
