"""Without JavaScript, every page shows its content, and its forms work."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.waiting import wait_for

SHOWN = {
    "/": ".figures",
    "/runs/": "tbody .run-name",
    "/runs/new/": "#editor-form input",
    "/runs/wizard/": "main form",
    "/runs/import/": "#path",
    "/queue/": ".lane-run",
    "/compare/": ".empty-title",
    "/presets/": "main a[href^='/presets/']",
    "/presets/new/": "main form input",
    "/samples/": ".gallery-filters",
    "/system/": ".cell-state",
    "/system/doctor/": "main .card",
    "/system/cleanup/": "#policy",
    "/account/": ".facts",
}
TABS = {
    "": "#files",
    "samples/": "main .card",
    "metrics/": "#metric-loss svg polyline",
    "log/": "#log",
    "config/": "#config li",
    "timeline/": ".moment",
}


@pytest.fixture(scope="module")
def site(busy_site):
    return busy_site


@pytest.fixture
def plain(open_page):
    return open_page("/", java_script_enabled=False)


@pytest.fixture
def run(site):
    return f"{site.address}/runs/{site.status()['run_id']}/"


def test_every_page_shows_its_content_and_no_button_without_effect(plain, site, run):
    for address, element in {
        **{site.address + path: element for path, element in SHOWN.items()},
        **{run + tab: element for tab, element in TABS.items()},
    }.items():
        plain.goto(address)
        expect(plain.locator("h1")).to_be_visible()
        expect(plain.locator(element).locator("visible=true").first).to_be_visible()
        assert plain.locator(".js-only:visible").count() == 0, address


def test_a_run_is_controlled_annotated_and_sampled(plain, site, run):
    plain.goto(run)
    bar = plain.locator(".run-bar")
    bar.get_by_role("button", name="Pause").click()
    site.wait_for_status("paused")
    plain.goto(run)
    bar.get_by_role("button", name="Continue", exact=True).click()
    site.wait_for_status("running")
    plain.locator("#about-edit summary").click()
    plain.get_by_label("Notes, in Markdown").fill("*Plain* words")
    plain.locator("#about-edit").get_by_role("button", name="Save").click()
    expect(plain.locator("#about em")).to_have_text("Plain")
    plain.locator("#draw summary").click()
    plain.get_by_label("Prompt", exact=True).fill("without scripts")
    plain.get_by_role("button", name="Generate", exact=True).click()
    expect(plain.locator(".draw-outcomes")).to_contain_text("without scripts")
    wait_for(lambda: site.api("GET", "samples/?search=without")["results"], 60, "the sample")


def test_runs_are_found_edited_and_planned(plain, site, config):
    waiting = site.api("POST", "runs/", {"config_dict": config, "name": "Plainly"})["id"]
    site.api("PATCH", f"queue/{waiting}", {"held": True})
    plain.goto(f"{site.address}/runs/")
    plain.get_by_role("searchbox").fill("plainly")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator(".run-name")).to_have_text(["Plainly"])
    plain.get_by_role("link", name="Edit name and tags of Plainly").click()
    plain.get_by_label("Tags, separated by commas").fill("plain")
    plain.get_by_role("button", name="Save").click()
    expect(plain.locator(".run-tag")).to_have_text(["plain"])
    plain.get_by_label("Select Plainly").check()
    plain.get_by_role("button", name="Cancel", exact=True).click()
    plain.get_by_role("button", name="Cancel", exact=True).click()
    expect(plain.get_by_text("1 run was removed from the queue.")).to_be_visible()
    expect(plain.locator(".pill-cancelled")).to_be_visible()
