"""The config editor in a browser: every change is saved and checked, can be undone, and is never overwritten."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.looks import PHONE, WIDE, check_both, dress, fits
from tests.waiting import wait_for

ADDRESS = "/runs/new/"
TABLET = (1024, 800)
SEARCH = "Find a field by name, label or help"


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


@pytest.fixture
def editor(open_page, site):
    """The editor of a new run without changes, on the tab of a field."""
    site.api("PUT", "config/current", {"config": {}})

    def open_it(field="epochs", size=WIDE, **options):
        page = open_page(ADDRESS, size, **options)
        find(page, field)
        return page

    return open_it


def field(page, path):
    return page.locator(f'[data-input="{path}"]')


def cell(page, path):
    return page.locator(f'[data-field="{path}"]')


def saved(page):
    expect(page.locator("#editor-saving")).to_have_text("Saved")


def find(page, text):
    """Jump to the first field found."""
    search = page.get_by_label(SEARCH)
    search.fill(text)
    option = page.locator(f'[role=option][data-target="{text}"]')
    option.wait_for()
    option.click()
    expect(cell(page, text)).to_be_visible()


def stored(site):
    return site.api("GET", "config/current")["changed"]


def test_a_letter_in_a_number_is_reported_at_the_field_and_in_the_list_while_typing(editor, site):
    page = editor()
    field(page, "epochs").press_sequentially("x")
    expect(cell(page, "epochs").locator(".field-error")).to_contain_text("must be a whole number", ignore_case=True)
    expect(page.locator("#editor-status")).to_contain_text("1 error")
    expect(page.locator("#editor-problems")).to_contain_text("Epochs")
    expect(field(page, "epochs")).to_be_focused()
    assert field(page, "epochs").get_attribute("aria-invalid") == "true"
    field(page, "epochs").fill("12")
    expect(cell(page, "epochs").locator(".field-error")).to_have_count(0)
    expect(page.locator("#editor-problems")).not_to_contain_text("Epochs")
    assert stored(site) == {"epochs": 12}


def test_a_change_is_marked_and_reset_with_one_click(editor, site):
    page = editor()
    field(page, "epochs").fill("7")
    expect(cell(page, "epochs")).to_have_class(re.compile("is-changed"))
    cell(page, "epochs").get_by_role("button", name="reset to the default").click()
    expect(field(page, "epochs")).to_have_value("100")
    expect(cell(page, "epochs")).not_to_have_class(re.compile("is-changed"))
    expect(field(page, "epochs")).to_be_focused()
    assert stored(site) == {}


def test_undo_and_redo_work_across_tabs(editor, site):
    page = editor()
    field(page, "epochs").fill("7")
    find(page, "sample_after")
    field(page, "sample_after").fill("8")
    wait_for(lambda: stored(site).get("sample_after") == 8)
    saved(page)
    page.locator("#editor-undo").click()
    expect(field(page, "sample_after")).to_have_value("10")
    page.locator("#editor-undo").click()
    expect(page.locator("#editor-redo")).to_have_attribute("aria-label", "Redo: Change Epochs")
    find(page, "epochs")
    expect(field(page, "epochs")).to_have_value("100")
    page.locator("#editor-tab-title").evaluate("element => element.focus()")
    page.keyboard.press("Control+Shift+z")
    expect(field(page, "epochs")).to_have_value("7")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("#editor-redo")).to_be_disabled()
    assert stored(site) == {"epochs": 7, "sample_after": 8}
    page.keyboard.press("Control+z")
    expect(page.locator("#editor-redo")).to_be_enabled()
    assert stored(site) == {"epochs": 7}


def test_a_slow_click_counts_although_its_button_is_rendered_again(editor, site):
    page = editor()
    field(page, "epochs").fill("7")
    page.locator("#editor-undo").wait_for()
    wait_for(lambda: stored(site) == {"epochs": 7})
    field(page, "epochs").fill("8")
    page.locator("#editor-undo").click(delay=1000)
    expect(field(page, "epochs")).not_to_have_value("8")
    expect(page.locator("#editor-redo")).to_be_enabled()


def test_control_z_in_a_text_field_is_left_to_the_browser(editor, site):
    page = editor()
    field(page, "epochs").fill("7")
    saved(page)
    field(page, "epochs").press("End")
    field(page, "epochs").press_sequentially("5")
    field(page, "epochs").press("Control+z")
    expect(field(page, "epochs")).not_to_have_value("75")
    expect(page.locator("#editor-redo")).to_be_disabled()


def test_a_reload_loses_no_change_not_even_the_latest(editor, site, open_page):
    page = editor()
    page.get_by_label("Name", exact=True).fill("Mine")
    field(page, "epochs").fill("7")
    page.reload()
    expect(field(page, "epochs")).to_have_value("7")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mine")
    # The last changes of a page may arrive while the next page sends them again.
    open_page.complaints[:] = [one for one in open_page.complaints if "409" not in one]


def test_a_choice_shows_and_hides_fields_and_keeps_their_values(editor, site):
    page = editor("optimizer.optimizer")
    field(page, "optimizer.optimizer").select_option("PRODIGY")
    saved(page)
    field(page, "optimizer.optimizer").select_option("ADAMW")
    saved(page)
    expect(field(page, "optimizer.optimizer")).to_be_focused()
    assert stored(site) == {}


def test_changes_of_another_window_appear_while_nothing_is_typed(editor, open_page, site):
    page = editor()
    other = page.context.new_page()
    other.goto(page.url)
    field(page, "epochs").fill("7")
    expect(field(other, "epochs")).to_have_value("7")
    expect(other.locator("#editor-banner")).to_contain_text("Changed in another window")


def test_two_windows_overwrite_nothing_and_typed_changes_can_be_applied_again(editor, open_page, site):
    page = editor()
    site.api("PATCH", "config/current", {"changes": [{"field": "batch_size", "value": 4}]})
    field(page, "epochs").fill("7")
    banner = page.locator("#editor-banner")
    expect(banner).to_contain_text("changed in another window")
    assert stored(site) == {"batch_size": 4}
    expect(field(page, "epochs")).to_have_value("7")
    banner.get_by_role("button", name="apply my changes again").click()
    expect(field(page, "batch_size")).to_have_value("4")
    saved(page)
    assert stored(site) == {"batch_size": 4, "epochs": 7}
    open_page.complaints.clear()  # browsers note the status 409


def test_the_newest_state_can_be_loaded_instead(editor, open_page, site):
    page = editor()
    site.api("PATCH", "config/current", {"changes": [{"field": "epochs", "value": 4}]})
    field(page, "epochs").fill("7")
    page.get_by_role("button", name="Show the newest", exact=True).click()
    expect(field(page, "epochs")).to_have_value("4")
    assert stored(site) == {"epochs": 4}
    open_page.complaints.clear()  # browsers note the status 409


def test_the_search_opens_tab_and_section_and_highlights_the_field(editor):
    page = editor()
    page.keyboard.press("Escape")
    page.locator("#editor-tab-title").evaluate("element => element.focus()")
    page.keyboard.press("/")
    expect(page.get_by_label(SEARCH)).to_be_focused()
    page.keyboard.type("sample every")
    page.locator("#editor-found [role=option]").first.wait_for()
    page.keyboard.type(" of a flux capacitor")
    expect(page.locator("#editor-found")).to_contain_text("No field has")
    page.get_by_label(SEARCH).fill("sample_after")
    page.locator('[role=option][data-target="sample_after"]').wait_for()
    page.keyboard.press("Enter")
    expect(cell(page, "sample_after")).to_have_class(re.compile("is-found"))
    expect(field(page, "sample_after")).to_be_focused()
    expect(cell(page, "sample_after")).to_be_in_viewport()


def test_only_changed_fields_are_shown_on_demand(editor):
    page = editor()
    field(page, "epochs").fill("7")
    saved(page)
    page.get_by_role("button", name="Changed").click()
    expect(cell(page, "epochs")).to_be_visible()
    expect(cell(page, "batch_size")).to_be_hidden()
    page.get_by_role("button", name="Changed").click()
    expect(cell(page, "batch_size")).to_be_visible()


def test_the_list_of_errors_leads_across_tabs(editor):
    page = editor()
    field(page, "epochs").fill("many")
    find(page, "sample_after")
    field(page, "sample_after").fill("few")
    problems = page.locator("#editor-problems")
    expect(problems).to_contain_text("2 errors")
    problems.get_by_role("link", name="Epochs").click()
    expect(field(page, "epochs")).to_be_focused()
    expect(field(page, "epochs")).to_have_value("many")


def test_form_and_json_follow_each_other(editor, site):
    page = editor(size=(1600, 900))
    page.locator("#json-toggle").click()
    text = page.get_by_label("The config as JSON", exact=True).and_(page.locator("textarea"))
    expect(text).to_be_visible()
    find(page, "epochs")
    field(page, "epochs").fill("7")
    expect(text).to_have_value(re.compile('"epochs": 7'))
    text.fill('{\n  "epochs": 9,\n  "batch_size": "two"\n}')
    problem = page.locator("#json-problems .is-error")
    expect(problem).to_contain_text("Line 3")
    expect(problem).to_contain_text("batch_size")
    text.fill('{"epochs": 9, "unheard_of": 1}')
    expect(page.locator("#json-problems")).to_contain_text("not a known setting")
    page.get_by_role("button", name="Apply").click()
    expect(field(page, "epochs")).to_have_value("9")
    assert stored(site) == {"epochs": 9, "unheard_of": 1}
    page.locator("#editor-undo").click()
    expect(field(page, "epochs")).to_have_value("7")
    expect(text).to_have_value(re.compile('"epochs": 7'))


def test_a_preset_is_loaded_below_the_changes(editor, site):
    site.api("POST", "config/save/Editor%2FLarge", {"lora_rank": 64})
    page = editor()
    field(page, "epochs").fill("7")
    page.get_by_label("Start from").select_option(label="Editor/Large")
    expect(page.locator("#messages")).to_contain_text("Loaded preset Editor/Large with your changes applied")
    assert stored(site) == {"epochs": 7, "lora_rank": 64}


def test_the_editor_works_with_the_keyboard_alone(editor, site):
    page = editor()
    page.keyboard.press("Escape")
    field(page, "epochs").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["label"], focused
        assert focused["outlined"], focused
        if focused["input"] == "batch_size":
            break
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    saved(page)
    assert stored(site) == {"epochs": 7, "batch_size": 3}


FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const label = element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.textContent;
  const outlined = (style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none";
  return {tag: element.outerHTML.slice(0, 200), label: label.trim(), outlined, input: element.dataset.input ?? ""};
}"""


def test_a_question_mark_opens_the_sheet_of_shortcuts(editor):
    page = editor()
    page.locator("#editor-tab-title").evaluate("element => element.focus()")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Shortcuts")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("Undo the last step")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    tab = page.locator("#editor-tab").get_attribute("data-tab")
    page.keyboard.press("]")
    expect(page.locator(f'#editor-tab:not([data-tab="{tab}"])')).to_be_visible()


def test_an_unreachable_server_is_reported_and_changes_are_sent_when_it_is_back(editor, site, open_page):
    page = editor()
    page.route("**/drafts/*/edit/", lambda route: route.abort())
    field(page, "epochs").fill("7")
    expect(page.locator("#editor-saving")).to_contain_text("cannot be reached")
    page.unroute("**/drafts/*/edit/")
    saved(page)
    assert stored(site) == {"epochs": 7}
    open_page.complaints.clear()  # browsers note the failed request


def hide(page):
    """Hide the page, as another tab in front of it does; typed text is then sent with a separate request."""
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_changes_from_before_the_page_was_hidden_are_sent_when_the_server_is_back(editor, site, open_page):
    page = editor()
    page.route("**/drafts/*/edit/", lambda route: route.abort())
    page.get_by_label("Name", exact=True).fill("Mine")
    field(page, "epochs").fill("7")
    hide(page)
    expect(page.locator("#editor-saving")).to_contain_text("cannot be reached")
    page.unroute("**/drafts/*/edit/")
    saved(page)
    wait_for(lambda: stored(site) == {"epochs": 7})
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mine")
    open_page.complaints.clear()  # browsers note the failed request


def test_last_changes_that_conflict_with_the_same_page_are_sent_again(editor, site, open_page):
    page = editor()
    revision = page.locator("#editor-form [data-revision]").input_value()
    answer = {"status": 409, "json": {"detail": "Changed.", "revision": int(revision)}}
    page.route("**/drafts/*/edit/", lambda route: route.fulfill(**answer), times=1)
    field(page, "epochs").fill("7")
    hide(page)
    wait_for(lambda: page.wait_for_timeout(50) or stored(site) == {"epochs": 7})
    open_page.complaints.clear()  # browsers note the status 409


def test_the_bar_is_no_wider_than_a_window_between_phone_and_tablet(editor):
    page = editor(size=(700, 900))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_tab_is_accessible_and_as_wide_as_its_screen(editor):
    page = editor()
    field(page, "epochs").fill("many")
    expect(page.locator("#editor-status")).to_contain_text("1 error")
    page.locator("#show-advanced").evaluate("button => button.ariaPressed === 'true' || button.click()")
    for tab in page.locator(".editor-tabs a").evaluate_all("links => links.map((link) => link.dataset.tab)"):
        page.locator(f'.editor-tabs a[data-tab="{tab}"]').click()
        expect(page.locator("#editor-tab")).to_have_attribute("data-tab", tab)
        check_both(page)
        dress(page, TABLET, color_scheme="light")
        fits(page)


def test_on_a_phone_the_bar_has_two_rows_and_the_open_tab_is_visible(editor):
    page = editor("sample_after", size=PHONE)
    tops = page.locator(".editor-bar > *").evaluate_all("all => all.map((one) => one.getBoundingClientRect().top)")
    assert len({round(top / 10) for top in tops}) == 2
    expect(page.locator(".editor-tabs .active")).to_be_in_viewport(ratio=1)
    notes = page.get_by_label("Notes")
    expect(notes).to_be_hidden()
    page.get_by_text("Tags and notes").click()
    expect(notes).to_be_visible()
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    expect(notes).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_problem_that_a_worker_found_leads_to_its_field_on_another_tab(editor, open_page, site, config, scripts):
    empty = site.folder.parent / "empty"
    empty.mkdir(exist_ok=True)
    broken = config | {"concepts": [config["concepts"][0] | {"path": str(empty)}]}
    site.api("PUT", "config/current", {"config": broken})
    page = open_page(f"{ADDRESS}?tab=general", java_script_enabled=scripts)
    page.get_by_role("button", name="Check").click()
    if not scripts:
        page.get_by_role("link", name="Reload").click()
        wait_for(lambda: page.reload() and page.locator(".preflight-error").count(), 60, "the check")
    link = page.locator(".preflight-error a").first
    link.click()
    expect(page.locator("#editor-tab")).to_have_attribute("data-tab", "concepts")
    expect(cell(page, "concepts")).to_be_in_viewport()


def test_the_page_is_small(editor, open_page):
    page = editor()
    size = page.evaluate("fetch(location.href).then((answer) => answer.text()).then((text) => text.length)")
    assert size < 300_000
