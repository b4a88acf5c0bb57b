"""Work with several runs: search, edit, bulk actions, the queue, comparison, draining a worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

ROWS = """
from django.contrib.auth.models import User
from django.utils.timezone import now
from presets.config.configs import full_config
from training.metrics.loss_lines import draw_loss
from training.models import Metric, Run
admin = User.objects.get(username="admin")
facts = {"owner": admin, "attempt": 1, "started_at": now(), "ended_at": now()}
for number, (name, status, loss, tags) in enumerate([
    ("Amber fox", "finished", 0.1, ["animal"]), ("Blue fox", "failed", 0.3, ["animal"]),
    ("Cyan teapot", "finished", 0.2, []), ("Old one", "failed", 0.5, ["old"]), ("Old two", "failed", 0.6, ["old"]),
]):
    config = full_config("builtin", {"learning_rate": (number + 1) / 1000})
    run = Run.objects.create(name=name, status=status, tags=tags, config=config, **facts)
    run.progress.write(smooth_loss=loss, max_step=10, max_epoch=2)
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="smooth_loss", step=step, value=loss + 1 / (step + 1), time=step)
        for step in range(20)
    )
    draw_loss(run)
for name in ("First", "Second", "Third"):
    Run.objects.create(name=name, config=config, owner=admin, held_at=now(), held_by=admin)
"""


@pytest.fixture(scope="module")
def site(quiet_site):
    """A site with ended runs, held runs in the queue, and an idle worker."""
    quiet_site.manage("shell", "-c", f"exec({ROWS!r})")
    return quiet_site


@pytest.fixture(scope="module")
def compared(site):
    runs = site.api("GET", "runs/?search=fox")["results"]
    return f"/compare/?runs={','.join(run['id'] for run in runs)}"


def names(page):
    return page.locator("tbody .run-name")


def queued(page):
    return page.locator(".queue-name")


@pytest.mark.parametrize("path", ["/runs/?tag=animal", "/queue/", "/system/", "compared"])
def test_a_filled_page_is_accessible_and_as_wide_as_its_screen(look, compared, path):
    look(compared if path == "compared" else path)


# -- the table -----------------------------------------------------------------------------------------------------


def test_runs_are_searched_filtered_and_sorted_by_the_address(open_page):
    page = open_page("/runs/")
    page.get_by_role("searchbox").fill("learning_rate=0.00 fox")
    page.get_by_role("searchbox").press("Enter")
    expect(names(page)).to_have_text(["Blue fox", "Amber fox"])
    page.get_by_role("link", name="Loss").click()
    expect(names(page)).to_have_text(["Amber fox", "Blue fox"])
    page.get_by_role("link", name="finished 1").click()
    expect(names(page)).to_have_text(["Amber fox"])
    expect(page).to_have_url(re.compile(r"\?q=.*&status=finished&sort=loss$"))
    page.get_by_role("link", name="Search").click()  # the chip removes its filter
    page.wait_for_url(lambda address: "q=" not in address)
    page.get_by_label("Tag", exact=True).select_option("animal")
    expect(names(page)).to_have_text(["Amber fox"])


def test_a_view_is_saved_and_opened_again(open_page):
    page = open_page("/runs/?status=failed&sort=loss")
    page.get_by_text("Save this view").click()
    page.get_by_label("Name of the view").fill("Failures")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(page.url.partition("?")[0])
    page.get_by_role("link", name="Failures").click()
    expect(page).to_have_url(re.compile(r"\?status=failed&sort=loss$"))
    page.get_by_role("button", name="Delete the view Failures").click()
    expect(page.get_by_role("link", name="Failures")).to_have_count(0)


def test_a_name_is_edited_in_its_row_and_escape_cancels(open_page):
    page = open_page("/runs/?q=teapot")
    edit = page.get_by_role("link", name="Edit name and tags of Cyan teapot")
    edit.click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill("Nothing")
    page.keyboard.press("Escape")
    expect(names(page)).to_have_text(["Cyan teapot"])
    edit.click()
    page.get_by_label("Name", exact=True).fill("Green teapot")
    page.get_by_label("Tags, separated by commas").fill("kitchen")
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["Green teapot"])
    expect(page.locator(".run-tag")).to_have_text(["kitchen"])


def test_a_star_is_set_in_place(open_page):
    page = open_page("/runs/?q=amber")
    star = page.get_by_role("button", name="Favourite: Amber fox")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Favourites").click()
    expect(names(page)).to_have_text(["Amber fox"])


def test_selected_runs_are_deleted_after_a_confirmation(open_page):
    page = open_page("/runs/?tag=old")
    expect(page.get_by_role("button", name="Delete")).to_be_hidden()
    page.get_by_label("Select all on this page").check()
    expect(page.locator("#bulk-count")).to_have_text("2 runs selected")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 runs will be deleted")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 runs were deleted.")).to_be_visible()
    expect(page.get_by_text("No runs match")).to_be_visible()


def test_two_runs_are_selected_and_compared_by_step_and_by_time(open_page):
    page = open_page("/runs/?tag=animal")
    for box in page.locator('input[name="run"]').all():
        box.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#compare-canvas canvas")).to_be_visible()
    expect(page.locator(".compare-table tbody tr")).to_have_count(1)
    expect(page.locator(".compare-table tbody th")).to_contain_text("learning_rate")
    page.get_by_label("Align by").select_option("seconds")
    expect(page).to_have_url(re.compile("axis=seconds"))
    expect(page.locator("#compare-canvas .u-legend")).to_contain_text("time")
    page.get_by_label("Log axis").check()
    page.get_by_role("link", name="Remove Blue fox").click()
    expect(page.get_by_text("Choose two to eight runs")).to_be_visible()


# -- the queue and the machines ------------------------------------------------------------------------------------


def test_a_run_is_moved_by_keys_by_buttons_and_by_dragging(open_page):
    page = open_page("/queue/")
    expect(queued(page)).to_have_text(["First", "Second", "Third"])
    page.get_by_role("link", name="Second", exact=True).focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(queued(page)).to_have_text(["Second", "First", "Third"])
    expect(page.locator("#queue-news")).to_have_text("Second is at position 1 in the queue")
    button = page.get_by_role("button", name="Move Second down")
    expect(button).to_be_focused()  # the row cannot move up again
    page.keyboard.press("Enter")
    expect(queued(page)).to_have_text(["First", "Second", "Third"])
    page.locator(".queue-handle").nth(2).drag_to(page.locator(".queue-row").nth(0), target_position={"x": 60, "y": 4})
    expect(queued(page)).to_have_text(["Third", "First", "Second"])
    page.reload()
    expect(queued(page)).to_have_text(["Third", "First", "Second"])


def test_a_run_is_planned_and_says_why_it_waits(open_page):
    page = open_page("/queue/")
    page.get_by_role("link", name="Plan Second").click()
    page.get_by_label("Not before").fill("2031-02-03T04:05")
    page.get_by_label("After the run").select_option(label="First (queued)")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Let Second start").click()
    row = page.locator(".queue-row").filter(has_text="Second").last
    expect(row).to_contain_text("Waits for “First” to finish.")


def test_a_worker_is_drained_and_resumed(open_page):
    page = open_page("/system/")
    page.get_by_role("button", name="Drain").click()
    expect(page.locator(".cell-state")).to_contain_text("Takes no more runs: drained by admin.")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Drain")).to_be_visible()
    expect(page.locator(".usage-chart canvas").first).to_be_visible()
