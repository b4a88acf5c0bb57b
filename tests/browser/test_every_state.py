"""Pages in states that a short training does not reach: full, empty, failed, in progress, and after a button."""

from __future__ import annotations

import json

import pytest
from django.template.loader import get_template
from playwright.sync_api import expect

from tests.browser.looks import PHONE, WIDE, check

FILLED = (
    "plan", "queue-filled", "compare-eight", "film", "versus", "concept", "concept-outside", "imports",
    "runs-deleting", "runs-none", "samples-none", "presets-none", "preflight-errors", "preflight-fine",
    "preflight-failed", "preflight-running", "failed", "failed-log", "failed-log-none", "waiting", "waiting-samples",
    "waiting-metrics", "waiting-log", "waiting-timeline", "waiting-files", "waiting-config",
)  # fmt: skip
EMPTY = (
    "empty", "empty-runs", "empty-queue", "empty-compare", "empty-samples", "empty-runs-import", "empty-system",
    "empty-system-cleanup", "empty-system-doctor",
)  # fmt: skip
MADE = "import json; from tests.states import empty, fill; print(json.dumps({}))"


@pytest.fixture(scope="module")
def site(idle_site):
    return idle_site


@pytest.fixture(scope="module")
def state(site):
    """Bring the site into a state, from any state; returns the addresses of its pages."""
    present: dict[str, dict[str, str]] = {}

    def bring(wanted: str) -> dict[str, str]:
        if wanted not in present:
            present.clear()
            printed = site.manage("shell", "-v", "0", "-c", MADE.format(wanted)).splitlines()[-1]
            present[wanted] = json.loads(printed)
        return present[wanted]

    return bring


@pytest.fixture
def filled(state):
    return state("empty() and fill()")


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_page_is_accessible_and_as_wide_as_its_screen(look, state, name):
    look(state("empty()")[name])


@pytest.mark.parametrize("name", FILLED)
def test_a_page_in_a_rare_state_is_accessible_and_as_wide_as_its_screen(look, filled, name):
    look(filled[name])
    if name == "concept-outside":
        look.complaints.clear()  # browsers note the status 400


def test_each_state_has_a_test(state):
    assert set(EMPTY) == set(state("empty()"))
    assert set(FILLED) == set(state("empty() and fill()"))


# -- pages after a button ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "size", "colours"), [(0, WIDE, "light"), (1, PHONE, "dark")])
def test_bulk_actions_confirm_and_report_accessibly(open_page, filled, row, size, colours):
    page = open_page(filled["runs-deleting"], size, color_scheme=colours)
    box = page.locator("input[name=run]").nth(row)
    for button in ("Delete", "Tag"):
        box.check()
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_role("link", name="Cancel").wait_for()
        check(page)
        page.get_by_role("link", name="Cancel").click()
        page.wait_for_url("**/runs/?*")
    box.check()
    check(page)
    for _ in range(2):
        page.get_by_role("button", name="Add to favourites", exact=True).click()
    expect(page.get_by_text("1 run was added to your favourites.")).to_be_visible()
    check(page)


def test_deleting_samples_needs_a_confirmation(open_page, filled):
    page = open_page("/samples/?q=velvet", PHONE, color_scheme="dark")
    page.locator("#gallery .tile input").first.check()
    check(page)
    page.locator("#selection").get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Delete this sample?").wait_for()
    check(page)


def test_imported_presets_are_reported_accessibly(open_page, filled):
    page = open_page("/presets/", PHONE, color_scheme="dark")
    page.locator("#import summary").click()
    content = json.dumps({"__version": 10, "epochs": 3, "unknown_field": 1}).encode()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "Mine.json", "mimeType": "application/json", "buffer": content}
    )
    page.get_by_role("button", name="Import").first.click()
    page.get_by_role("heading", name="Imported 1 preset").wait_for()
    check(page)


@pytest.mark.parametrize("broken", ["500.html", "503.html"])
def test_the_page_of_a_server_error_is_accessible_and_as_wide_as_its_screen(open_page, site, broken):
    page = open_page("/away/", PHONE, color_scheme="dark")
    words = get_template(broken).render({"seconds": 5})
    page.route("**/healthz", lambda route: None)  # no answer, or else the page would load again during the check
    page.route("**/broken/", lambda route: route.fulfill(status=500, content_type="text/html", body=words))
    page.goto(f"{site.address}/broken/")
    check(page)
    open_page.complaints.clear()  # browsers note the status 500
