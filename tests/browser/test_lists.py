"""Lists in the editor: items are added, opened, moved by keyboard and by dragging, cloned and undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.looks import PHONE

PAGE = "/runs/new/?tab=concepts"


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


@pytest.fixture
def folders(site):
    """Two data sets in one folder; one of them has a caption."""
    root = Path(site.folder) / "datasets" / "listed"
    for name in ("moons", "stars"):
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), "navy").save(root / name / "1.png")
    (root / "stars" / "1.txt").write_text("a star in the night")
    return root


@pytest.fixture
def concepts(open_page, folders):
    """The tab of concepts, with both data sets as the only concepts of the draft."""

    def open_it(**options):
        page = open_page(PAGE, **options)
        while page.locator(".list-item").count():
            count = page.locator(".list-item").count()
            page.locator("#concepts-0-remove").click()
            expect(page.locator(".list-item")).to_have_count(count - 1)
        page.locator("#list-concepts").fill(str(folders))
        page.get_by_role("button", name="Add sub-folders as concepts").click()
        expect(page.locator(".list-name")).to_have_text(["moons", "stars"])
        return page

    return open_it


@pytest.mark.parametrize("options", [{}, {"size": PHONE, "color_scheme": "dark"}], ids=["wide", "phone"])
def test_each_subfolder_becomes_a_concept_that_shows_its_pictures(concepts, options):
    page = concepts(**options)
    expect(page.locator(".concept-brief").first).to_contain_text("1 without a caption")
    page.locator("#concepts-1-title").click()
    expect(page.locator(".list-preview")).to_contain_text("a star in the night")
    expect(page.locator(".list-preview img")).to_have_js_property("complete", True)
    assert page.locator(".list-preview img").evaluate("(picture) => picture.naturalWidth") == 64
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_concept_is_moved_by_keyboard_and_the_focus_follows(concepts):
    page = concepts()
    page.locator("#concepts-0-down").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".list-name")).to_have_text(["stars", "moons"])
    expect(page.locator("#concepts-1-up")).to_be_focused()


def test_a_concept_is_dragged(concepts):
    page = concepts()
    page.locator(".list-handle").nth(1).drag_to(page.locator(".list-item").nth(0))
    expect(page.locator(".list-name")).to_have_text(["stars", "moons"])


def test_typing_in_an_open_concept_changes_its_line_and_keeps_the_caret(concepts):
    page = concepts()
    page.locator("#concepts-0-title").click()
    name = page.locator('[data-input="concepts.0.name"]')
    name.fill("full ")
    name.press_sequentially("moons", delay=60)
    expect(page.locator(".list-name").first).to_have_text("full moons")
    expect(name).to_be_focused()
    expect(name).to_have_value("full moons")


def test_a_clone_is_opened_and_undone(concepts):
    page = concepts()
    page.locator("#concepts-0-clone").click()
    expect(page.locator(".list-name")).to_have_text(["moons", "moons copy", "stars"])
    expect(page.locator('[data-input="concepts.1.name"]')).to_have_value("moons copy")
    page.get_by_role("button", name="Undo: Clone concept 1").click()
    expect(page.locator(".list-name")).to_have_text(["moons", "stars"])


def test_a_concept_stays_switched_off_after_a_reload(concepts):
    page = concepts()
    page.locator("#concepts-0-switch").click()
    expect(page.locator("#concepts-0-switch")).to_have_attribute("aria-checked", "false")
    page.reload()
    expect(page.locator("#concepts-0-switch")).to_have_attribute("aria-checked", "false")


def test_a_folder_chosen_for_a_concept_is_shown_at_once(concepts, folders):
    page = concepts()
    page.locator("#concepts-0-title").click()
    page.locator(".list-body").first.get_by_role("button", name="Browse: Folder").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/moons")
    page.keyboard.press("Backspace")
    dialog.get_by_role("link", name="stars").click()
    expect(dialog.locator(".browse-chosen")).to_have_text(f"{folders}/stars")
    dialog.get_by_role("button", name="Choose this folder").click()
    expect(page.locator(".list-preview")).to_contain_text("a star in the night")


def test_prompts_are_pasted_and_get_a_shape(concepts, open_page):
    page = concepts()
    page.locator("#editor-tab-sampling").click()
    expect(page.locator("#list-samples")).to_be_visible()
    before = page.locator(".list-item").count()
    page.locator("#list-samples").fill("a red star\na blue star")
    page.get_by_role("button", name="Add samples").click()
    expect(page.locator(".list-item")).to_have_count(before + 2)
    page.locator(f"#samples-{before}-title").click()
    page.get_by_role("button", name="16:9").click()
    expect(page.locator(f'[data-input="samples.{before}.width"]')).not_to_have_value("512")
