"""The tabs of a run while it trains: its log, its timeline, its notes, its files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.waiting import wait_for

LOG = """caching 1 %\rcaching 100 %
WARNING: a picture is small
{filler}
ERROR: the disk is slow
RuntimeError: it is very slow
"""


@pytest.fixture(scope="module")
def site(busy_site):
    return busy_site


@pytest.fixture(scope="module")
def run(site):
    return f"/runs/{site.status()['run_id']}/"


@pytest.fixture
def written(site, run):
    """A warning and two errors, far apart, at the end of the run's log."""
    log = Path(site.folder) / run.strip("/") / "attempts" / "1" / "engine.log"
    with log.open("a") as file:
        file.write(LOG.format(filler="nothing to tell\n" * 20_000))
    return log


def downloaded(page, link):
    with page.expect_download() as download:
        link.click()
    return download.value


# -- log -----------------------------------------------------------------------------------------------------------


def test_the_log_is_searched_read_at_its_first_error_and_saved_whole(open_page, run, written):
    page = open_page(f"{run}log/")
    expect(page.get_by_text("Only the end of the log is shown.")).to_be_visible()
    expect(page.locator("#log")).not_to_contain_text("a picture is small")
    found = page.locator(".log-found a")
    page.get_by_label("Words").fill("SLOW")
    page.get_by_role("button", name="Show").click()
    expect(found).to_have_text(["ERROR: the disk is slow", "RuntimeError: it is very slow"])
    page.get_by_label("Words").fill("")
    page.get_by_label("Level").select_option("warning")
    page.get_by_role("button", name="Show").click()
    expect(found.first).to_have_text("WARNING: a picture is small")
    found.first.click()
    part = page.get_by_label("Part of the log")
    expect(part).to_contain_text("a picture is small")
    expect(part).not_to_contain_text("the disk is slow")
    page.get_by_role("link", name="First error").click()
    expect(part).to_contain_text("ERROR: the disk is slow")
    page.get_by_role("link", name="End of log").click()
    expect(page.locator("#log")).to_contain_text("it is very slow")
    with written.open("a") as file:
        file.write("\x1b[33mWARNING: 1 %\r\x1b[0m\x1b[31mERROR: it is\x1b[0m late\n")
    expect(page.locator("#log .log-error", has_text="late")).to_have_text("ERROR: it is late\n")
    saved = downloaded(page, page.get_by_role("link", name="Whole log")).path().read_bytes()
    assert b"a picture is small" in saved and b"it is very slow" in saved
    assert written.read_bytes().startswith(saved)  # it grows during the search


# -- timeline ------------------------------------------------------------------------------------------------------


def test_the_timeline_is_filtered_and_reversed_and_names_the_users(open_page, site, run):
    site.api("POST", "training/save")
    page = open_page(f"{run}timeline/")
    moments = page.locator(".moment")
    assert len({*moments.locator("strong").all_inner_texts()}) > 2
    page.get_by_label("Commands").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Commands")).to_be_checked()
    expect(moments.filter(has_text="Save").first).to_contain_text("by admin")
    assert moments.locator(".pill").count() == moments.count()
    page.get_by_label("Commands").uncheck()
    page.get_by_label("States").check()
    page.get_by_label("Order").select_option("oldest")
    page.get_by_role("button", name="Show").click()
    expect(moments.first.locator("strong")).to_have_text("Created")
    times = [one.get_attribute("datetime") for one in moments.locator("time").all()]
    assert times == sorted(times)


# -- name, tags, notes, star ---------------------------------------------------------------------------------------


def test_name_tags_notes_and_the_star_are_edited_in_place(open_page, site, run):
    page = open_page(run)
    page.get_by_text("Name, tags and notes").click()
    page.get_by_label("Name", exact=True).fill("Amber moon")
    page.get_by_label("Tags, separated by commas").fill("night, first try")
    page.get_by_label("Notes, in Markdown").fill("# Why\n\nA **bold** plan <b>without</b> [help](https://example.org/)")
    page.locator("#about-edit").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Amber moon")).to_be_visible()
    expect(page.locator(".about-tags a")).to_have_text(["night", "first try"])
    notes = page.locator("#about .markdown")
    expect(notes.get_by_role("heading", name="Why")).to_be_visible()
    expect(notes.locator("strong")).to_have_text("bold")
    expect(notes.locator("b")).to_have_count(0)
    expect(notes.get_by_role("link", name="help")).to_have_attribute("rel", "nofollow noopener")
    star = page.get_by_role("button", name="Favourite: Amber moon")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.locator(".about-tags").get_by_role("link", name="first try").click()
    expect(page.locator("tbody .run-name")).to_have_text(["Amber moon"])


# -- buttons and files ---------------------------------------------------------------------------------------------


def test_save_is_disabled_until_its_file_exists_which_is_downloaded_hashed_pinned_and_deleted(open_page, run):
    page = open_page(f"{run}files/", permissions=["clipboard-read", "clipboard-write"])
    files = page.locator("#files tbody tr").filter(has_text="Save")
    before = files.count()
    button = page.locator(".run-bar").get_by_role("button", name="Save")
    button.click()
    expect(page.locator(".run-bar button[aria-busy]").first).to_be_visible()
    expect(page.locator(".run-outcome")).to_contain_text("Save: done")
    expect(button).to_be_enabled()
    expect(files).to_have_count(before + 1)
    saved = files.first
    expect(saved.get_by_role("link", name="Settings of this file")).to_have_attribute(
        "href", re.compile(rf"^{run}config/\?file=")
    )
    saved.get_by_role("button", name="Copy the SHA-256").click()
    copied = wait_for(lambda: page.evaluate("navigator.clipboard.readText()"), what="the hash")
    file = downloaded(page, saved.get_by_role("link", name="Download"))
    assert hashlib.sha256(file.path().read_bytes()).hexdigest() == copied
    delete, sure = saved.locator(".confirm summary"), saved.get_by_role("button", name="Delete", exact=True)
    saved.get_by_role("button", name="Pinned").click()
    expect(saved.locator(".badge")).to_have_text("pinned")
    delete.click()
    sure.click()
    expect(page.get_by_role("alert")).to_contain_text("It is pinned: unpin it first.")
    saved.get_by_role("button", name="Pinned").click()
    expect(saved.locator(".badge")).to_have_count(0)
    delete.click()
    sure.click()
    expect(page.get_by_text("The file was deleted.")).to_be_visible()
    expect(saved).to_contain_text("removed")


# -- custom samples ------------------------------------------------------------------------------------------------


def test_each_line_becomes_a_picture_of_the_same_shape_and_seed(open_page, site, run):
    page = open_page(f"{run}samples/")
    page.locator("#draw summary").click()
    page.get_by_label("Prompt", exact=True).fill("a green line\na brown line")
    page.get_by_label("One picture for each line").check()
    page.get_by_label("Width").fill("64")
    page.get_by_label("Shape").select_option(index=2)  # 4:3
    expect(page.get_by_label("Width")).to_have_value("")
    page.get_by_label("Random").check()
    page.get_by_label("Seed").fill("11")
    expect(page.get_by_label("Random")).not_to_be_checked()
    page.get_by_role("spinbutton", name="Steps").fill("2")
    page.get_by_role("button", name="Generate", exact=True).click()
    tiles = page.locator("#custom-samples .tile").filter(has_text="line")
    expect(tiles).to_have_count(2)  # they appear without a reload
    facts = [one["metadata"] for one in site.api("GET", "samples/?search=line")["results"]]
    assert {fact["prompt"] for fact in facts} == {"a green line", "a brown line"}
    assert {fact["seed"] for fact in facts} == {11}
    assert all(fact["width"] > fact["height"] for fact in facts)


# -- the bell ------------------------------------------------------------------------------------------------------

# Replaces the browser's permission prompt, which a browser without a window never shows.
ASK = """
window.asked = 0;
let permission = localStorage.getItem("answered") ?? "default";
Object.defineProperty(Notification, "permission", { get: () => permission });
Notification.requestPermission = async () => {
    asked += 1;
    localStorage.setItem("answered", "granted");
    return (permission = "granted");
};
"""


def test_the_browser_asks_once_for_notifications_and_the_choice_stays(open_page, run):
    page = open_page(run, alone=True)
    page.context.add_init_script(ASK)
    page.reload()
    bell = page.get_by_role("button", name="Notify me when it ends")
    expect(bell).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("asked") == 0
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("asked") == 1
    page.reload()
    expect(bell).to_have_attribute("aria-pressed", "true")
    for wanted in ("false", "true"):
        bell.click()
        expect(bell).to_have_attribute("aria-pressed", wanted)
    assert page.evaluate("asked") == 0
