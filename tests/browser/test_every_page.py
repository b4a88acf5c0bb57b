"""Every page, wide and narrow, light and dark: accessible, within its width, and without errors."""

from __future__ import annotations

import pytest

from tests.browser.conftest import go_on, pause
from tests.browser.looks import PHONE, check, check_both, violations
from tests.waiting import wait_for

PAGES = (
    "/runs/",
    "/runs/new/",
    "/runs/import/",
    "/datasets/",
    "/presets/",
    "/presets/new/",
    "/browse/",
    "/compare/",
    "/queue/",
    "/models/?source=owner/model",
    "/samples/",
    "/system/",
    "/system/doctor/",
    "/system/audit/?verify=1",
    "/system/cleanup/?preview=1&kinds=backups&kinds=caches&keep=1",
    "/system/cleanup/",
    "/account/tokens/",
    "/account/sessions/",
    "/account/2fa/",
    "/account/",
)
MOVING, RESTING = ("", "metrics/", "log/"), ("samples/", "timeline/", "files/", "config/")  # tabs of a run


@pytest.fixture(scope="module")
def site(training_site):
    """The training site with its run paused, so that its pages load quickly."""
    return training_site


@pytest.fixture
def training(site):
    """The run trains during the test."""
    go_on(site)
    yield
    pause(site)


@pytest.fixture(scope="module")
def run_address(site):
    return f"/runs/{site.status()['run_id']}/"


@pytest.fixture(scope="module")
def sample_address(site):
    """The page of a requested sample; it is generated although the run is paused."""
    site.api("POST", "samples/default")
    sample = wait_for(lambda: site.api("GET", "samples/latest?count=1")["samples"], 60, "a sample")[0]
    return f"/samples/{sample['id']}/"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_as_wide_as_its_screen(look, path):
    look(path)


@pytest.mark.usefixtures("training")
def test_the_dashboard_is_accessible_and_as_wide_as_its_screen(look):
    look("/")


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("tab", MOVING)
def test_a_tab_of_a_run_that_trains_is_accessible_and_as_wide_as_its_screen(look, run_address, tab):
    look(run_address + tab)


@pytest.mark.parametrize("tab", RESTING)
def test_a_runs_tab_is_accessible_and_as_wide_as_its_screen(look, run_address, tab):
    look(run_address + tab)


def test_a_sample_is_accessible_and_as_wide_as_its_screen(look, sample_address):
    look(sample_address)


@pytest.mark.parametrize("form", ["edit/", "delete/"])
def test_a_runs_form_is_accessible_and_as_wide_as_its_screen(look, run_address, form):
    look(run_address + form)


def test_a_preset_is_accessible_and_as_wide_as_its_screen(look, site):
    preset = site.api("POST", "presets/", {"name": "Mine", "config": {"epochs": 7}})
    look(f"/presets/{preset['id']}/")


def test_the_page_of_an_unknown_address_is_accessible_and_as_wide_as_its_screen(look):
    look("/nothing-here/")
    look.complaints.clear()  # browsers note the status 404


@pytest.mark.parametrize("path", ["/account/login/", "/sign-in/MQ/abc-def/"])
def test_signing_in_is_accessible_and_as_wide_as_its_screen(open_page, path):
    check_both(open_page(path, storage_state=None))


def test_the_menu_opens_on_a_phone(open_page):
    page = open_page("/", PHONE)
    assert not page.get_by_role("link", name="Presets").is_visible()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Presets").click()
    page.wait_for_url("**/presets/")


def test_the_chosen_colours_stay(open_page):
    page = open_page("/", color_scheme="light")
    button = page.locator("#theme")
    for _ in range(2):  # automatic, light, dark
        button.click()
    page.goto(page.url + "runs/")
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert page.get_by_role("button", name="Colours: dark").is_visible()


def test_errors_of_a_form_are_accessible_and_typed_text_stays(open_page):
    page = open_page("/runs/new/", PHONE)
    search = page.get_by_label("Find a field by name, label or help")
    search.fill("epochs")
    page.locator("#editor-found [role=option]").first.wait_for()
    search.press("Enter")
    page.get_by_label("Epochs", exact=True).fill("many")
    page.get_by_text("1 error").first.wait_for()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("The run was not started:").wait_for()
    assert page.get_by_label("Epochs", exact=True).input_value() == "many"
    open_page.complaints.clear()  # browsers note the status 400
    check(page)


def test_g_and_a_letter_lead_to_a_page(open_page):
    page = open_page("/presets/")
    page.keyboard.press("g")
    page.keyboard.press("y")
    page.wait_for_url("**/system/")


def test_a_question_mark_lists_the_shortcuts_of_every_page(open_page):
    page = open_page("/system/", PHONE)
    page.keyboard.press("?")
    page.get_by_role("heading", name="On every page").wait_for()
    check(page)


def test_control_k_finds_a_setting_and_the_arrow_keys_choose_it(open_page):
    page = open_page("/presets/", PHONE)
    page.keyboard.press("Control+k")
    page.locator("#finder").get_by_text("Dashboard").wait_for()
    page.keyboard.type("learning rate")
    page.locator("#finder").get_by_text("Learning rate scheduler").wait_for()
    check(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/new/?tab=training#field-learning_rate_scheduler")


def test_a_page_reports_an_unreachable_server_and_reconnects(open_page):
    page = open_page("/presets/", alone=True)
    page.evaluate("navigator.serviceWorker.ready.then(() => caches.keys())")
    page.context.set_offline(True)
    page.goto(page.url)
    page.get_by_role("heading", name="The server cannot be reached").wait_for()
    assert violations(page) == []
    page.context.set_offline(False)
    page.get_by_role("heading", name="Presets").wait_for()
    open_page.complaints.clear()  # browsers note each request that failed
