"""The dialog with the server's folders: by mouse, by keyboard, on a phone, and for fields that are added later."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.looks import PHONE

PAGE = "/runs/import/"


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


@pytest.fixture
def folders(site):
    """Two data sets and a model file among the allowed folders."""
    root = Path(site.folder) / "datasets" / "chosen"
    for name in ("anna", "ben/inner"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "anna" / "1.png").touch()
    (root / "a.json").touch()
    return root


def opened(page, path):
    """The dialog, opened at the typed path."""
    page.locator("#path").fill(str(path))
    page.get_by_role("button", name="Browse").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".browse-chosen")).to_have_text(str(path))
    return dialog


@pytest.mark.parametrize("options", [{}, {"size": PHONE, "color_scheme": "dark"}], ids=["wide", "phone"])
def test_a_folder_is_chosen_by_clicks(open_page, folders, options):
    page = open_page(PAGE, **options)
    dialog = opened(page, folders)
    assert "1 picture" in dialog.get_by_role("link", name="anna").inner_text()
    dialog.get_by_role("link", name="ben").click()
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/ben")
    dialog.get_by_role("button", name="Choose this folder").click()
    expect(page.locator("#path")).to_have_value(f"{folders}/ben")
    expect(page.locator("#path")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_folder_is_chosen_by_keyboard(open_page, folders):
    page = open_page(PAGE)
    dialog = opened(page, folders)
    expect(dialog.get_by_role("link", name="anna")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/ben")
    page.keyboard.press("Enter")
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/ben/inner")
    page.keyboard.press("Backspace")
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/ben")
    expect(dialog.get_by_role("link", name="inner")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#path")).to_have_value(f"{folders}/ben")


def test_typing_filters_and_escape_changes_nothing(open_page, folders):
    page = open_page(PAGE)
    dialog = opened(page, folders)
    expect(dialog.get_by_role("link", name="anna")).to_be_focused()
    page.keyboard.type("be")
    expect(dialog.get_by_role("link", name="anna")).to_be_hidden()
    expect(dialog.get_by_role("link", name="ben")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("link", name="anna")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#path")).to_have_value(str(folders))


def test_the_chosen_path_is_set_with_events(open_page, folders):
    page = open_page(PAGE)
    page.evaluate("""() => {
        window.heard = [];
        for (const name of ["input", "change"]) {
            document.addEventListener(name, (event) => heard.push(`${name} ${event.target.id}`));
        }
    }""")
    dialog = opened(page, folders)
    page.evaluate("heard.length = 0")
    dialog.get_by_role("button", name="Choose this folder").click()
    assert page.evaluate("heard") == ["input path", "change path"]


def test_a_field_that_is_added_later_has_a_button(open_page, folders):
    page = open_page(PAGE)
    page.evaluate("""() => document.querySelector("main").insertAdjacentHTML("beforeend",
        '<label for="late">Late file</label><input id="late" data-browse="file" data-suffixes=".json">')""")
    page.locator("#late").fill(str(folders))
    page.get_by_role("button", name="Browse: Late file").click()
    page.get_by_role("dialog").get_by_role("link", name="a.json").click()
    expect(page.locator("#late")).to_have_value(f"{folders}/a.json")


def test_a_path_for_saving_is_chosen_in_a_new_folder(open_page, folders):
    page = open_page(PAGE)
    page.locator("#path").evaluate("(input) => (input.dataset.browse = 'save')")
    dialog = opened(page, folders)
    dialog.get_by_label("Name of a new folder").fill("mine")
    dialog.get_by_role("button", name="Create folder").click()
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/mine")
    dialog.get_by_label("Name", exact=True).fill("stars.safetensors")
    dialog.get_by_role("button", name="Choose", exact=True).click()
    expect(page.locator("#path")).to_have_value(f"{folders}/mine/stars.safetensors")


def test_a_path_outside_opens_the_first_place(open_page, folders):
    page = open_page(PAGE)
    page.locator("#path").fill("/etc")
    page.get_by_role("button", name="Browse").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".browse-chosen")).not_to_be_empty()
    assert "passwd" not in dialog.inner_text()
