"""Samples in the browser: the grid, the lightbox, and all actions on the pictures of a training."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import go_on, pause
from tests.browser.looks import PHONE, check
from tests.engine.tiny import sample
from tests.waiting import wait_for

MANY = """
from datetime import timedelta
from samples.models import Sample
one = Sample.objects.first()
facts = {"run": one.run, "attempt": 9, "path": one.path, "prompt": "many", "kind": "custom"}
Sample.objects.bulk_create(
    Sample(sequence=number, created_at=one.created_at - timedelta(days=1, seconds=number), **facts)
    for number in range(300)
)
"""
PROMPTS = ("a red circle", "a blue square")


def drawn(site, **query):
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    return site.api("GET", f"samples/?ordering=created_at&{parameters}")["results"]


def draw(site, count):
    """Train a step, then sample the run's prompts until there are `count` samples; the run is paused after each."""
    go_on(site)
    site.wait_for_step(site.status()["progress"]["global_step"])
    pause(site)
    site.api("POST", "samples/default")
    wait_for(lambda: len(drawn(site, kind="default")) == count, 120, f"{count} samples")


@pytest.fixture(scope="module")
def site(make_site, config):
    """A site with a paused run that has samples of two prompts at two steps, and a custom sample."""
    site = make_site("samples").start("--no-demo")
    site.start_run(config, samples=[sample(prompt) for prompt in PROMPTS])
    site.wait_for_step(1)
    draw(site, 2)
    site.api("POST", "samples/custom", {"prompt": "my own", "seed": 7})
    draw(site, 4)
    wait_for(lambda: drawn(site, kind="custom"), 120, "the sample by hand")
    return site


@pytest.fixture
def grid(open_page, site):
    return open_page(f"/runs/{site.status()['run_id']}/samples/")


def shown(page):
    """The id of the sample in the lightbox."""
    return page.locator("#lightbox .sample").get_attribute("data-sample")


def by_place(site):
    """Ids by step (0 for the earlier step) and prompt."""
    found = [
        (one["metadata"]["global_step"], one["metadata"]["index"], one["id"]) for one in drawn(site, kind="default")
    ]
    steps = sorted({step for step, _, _ in found})
    return {(steps.index(step), index): key for step, index, key in found}


def test_arrow_keys_move_over_steps_and_prompts_of_the_grid(grid, site):
    place = by_place(site)
    grid.locator(f'[data-sample="{place[1, 0]}"]').focus()
    for key, wanted in (("ArrowRight", (1, 1)), ("ArrowDown", (0, 1)), ("ArrowLeft", (0, 0)), ("ArrowUp", (1, 0))):
        grid.keyboard.press(key)
        expect(grid.locator(f'[data-sample="{place[wanted]}"]')).to_be_focused()


def test_the_lightbox_moves_by_step_and_prompt_and_restores_the_focus(grid, site):
    place = by_place(site)
    opener = grid.locator(f'.thumb-link[data-sample="{place[1, 0]}"]')
    opener.press("Enter")
    expect(grid.locator("#lightbox .sample-prompt")).to_have_text(PROMPTS[0])
    for key, wanted in (("ArrowRight", (1, 1)), ("ArrowDown", (0, 1)), ("ArrowLeft", (0, 0)), ("ArrowUp", (1, 0))):
        grid.keyboard.press(key)
        expect(grid.locator("#lightbox .sample")).to_have_attribute("data-sample", place[wanted])
    check(grid)
    grid.keyboard.press("?")
    expect(grid.locator("#shortcuts")).to_contain_text("Zoom in, zoom out, fit")
    grid.keyboard.press("Escape")
    expect(grid.locator("#shortcuts")).to_be_hidden()
    grid.keyboard.press("Escape")
    expect(grid.locator("#lightbox")).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_focus_stays_in_the_lightbox(grid):
    grid.locator(".step-grid .thumb-link").first.click()
    grid.locator("#lightbox .sample").wait_for()
    for _ in range(20):
        grid.keyboard.press("Tab")
        assert grid.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#lightbox')"
        )


def test_a_picture_is_zoomed_and_panned_by_wheel_keys_and_buttons(grid):
    grid.locator(".step-grid .thumb-link").first.click()
    stage = grid.locator("#lightbox .sample-stage")
    stage.locator("img").hover()
    grid.mouse.wheel(0, -400)
    expect(stage).to_have_class("sample-stage is-zoomed")
    before, at = shown(grid), stage.locator("img").evaluate("picture => picture.style.transform")
    grid.keyboard.press("ArrowLeft")
    assert stage.locator("img").evaluate("picture => picture.style.transform") != at and shown(grid) == before
    grid.keyboard.press("0")
    expect(stage).to_have_class("sample-stage")
    grid.get_by_role("button", name="Zoom in").click()
    expect(stage).to_have_class("sample-stage is-zoomed")


def test_a_favourite_is_marked_in_the_lightbox_and_shown_in_the_grid(grid):
    first = grid.locator(".step-grid .thumb-link").first
    first.click()
    button = grid.locator("#lightbox").get_by_role("button", name="Favourite")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    grid.keyboard.press("Escape")
    expect(first.locator(".thumb-star")).to_be_visible()


def test_without_scripts_a_picture_links_to_its_page_and_to_other_samples(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/samples/", java_script_enabled=False)
    page.locator(".step-grid .thumb-link").first.click()
    page.get_by_role("link", name="Next prompt").click()
    expect(page.locator(".sample-prompt")).to_have_text(PROMPTS[1])


def test_the_grid_is_accessible_on_a_phone(open_page, site):
    page = open_page(f"/runs/{site.status()['run_id']}/samples/", PHONE, color_scheme="dark")
    check(page)


# -- custom samples ------------------------------------------------------------------------------------------------


def test_several_samples_of_an_earlier_prompt_are_generated_and_previewed(grid, site):
    site.api("POST", "samples/custom", {"prompt": "slowly", "seed": 3, "diffusion_steps": 400})
    expect(grid.locator("#draw-preview")).to_be_visible()
    wait_for(lambda: grid.locator("#draw-preview").evaluate("picture => picture.naturalWidth"), what="the preview")
    grid.reload()
    grid.locator("#draw summary").click()
    grid.get_by_role("link", name="slowly").click()
    expect(grid.get_by_label("Seed")).to_have_value("3")
    grid.get_by_role("spinbutton", name="Steps").fill("2")
    grid.get_by_label("Pictures").fill("2")
    check(grid)
    grid.get_by_role("button", name="Generate", exact=True).click()
    wait_for(lambda: len(drawn(site, search="slowly")) == 3, 120, "the samples")
    expect(grid.locator("#draw-preview")).to_be_hidden()
    assert sorted(one["metadata"]["seed"] for one in drawn(site, search="slowly")) == [3, 3, 4]


# -- comparison and film -------------------------------------------------------------------------------------------


def test_two_steps_are_compared_under_a_slider_by_mouse_and_keys(grid, site):
    place = by_place(site)
    grid.locator(f'.thumb-link[data-sample="{place[1, 0]}"]').click()
    grid.locator("#lightbox").get_by_role("link", name="Compare").click()
    over, slider = grid.locator(".versus-over img"), grid.get_by_role("slider")
    expect(over).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
    box = slider.bounding_box()
    grid.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert float(slider.input_value()) < 40
    slider.press("End")
    expect(over).to_have_css("clip-path", "inset(0px 0px 0px 100%)")
    check(grid)
    grid.get_by_label("Right: step").select_option(index=0)
    expect(grid.locator(".versus-over img")).to_have_attribute("src", f"/api/samples/{place[0, 0]}/file")


def test_the_steps_are_played_scrubbed_and_saved_as_a_film(grid, site):
    grid.get_by_role("link", name="Film").first.click()
    shown = grid.locator(".film-strip [aria-current]")
    first = shown.get_attribute("data-step")
    grid.get_by_role("button", name="Play").click()
    expect(shown).not_to_have_attribute("data-step", first)
    grid.get_by_role("button", name="Pause").click()
    grid.get_by_role("slider").press("Home")
    expect(shown).to_have_attribute("data-step", first)
    check(grid)
    for kind in ("GIF", "MP4"):
        with grid.expect_download() as download:
            grid.get_by_role("button", name=kind).click()
        assert download.value.suggested_filename.endswith(f".{kind.lower()}")


# -- the gallery ---------------------------------------------------------------------------------------------------


def test_selected_samples_are_downloaded_as_a_zip(open_page):
    page = open_page("/samples/")
    for check_box in page.locator(".thumb-check").all()[:2]:
        check_box.check()
    expect(page.locator("#selection [data-count]")).to_have_text("2")
    check(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Zip").click()
    assert download.value.suggested_filename.endswith(".zip")


def test_the_gallerys_lightbox_moves_from_tile_to_tile(open_page, site):
    newest = [one["id"] for one in site.api("GET", "samples/")["results"]]
    page = open_page("/samples/")
    page.locator("#gallery .thumb-link").first.click()
    page.locator("#lightbox .sample").wait_for()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lightbox .sample")).to_have_attribute("data-sample", newest[1])


def test_the_address_filters_the_gallery(open_page):
    page = open_page("/samples/")
    page.get_by_label("Prompt").fill("own")
    page.get_by_label("Kind").select_option("custom")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**q=own*kind=custom*")
    expect(page.locator("#gallery .thumb-link")).to_have_count(1)


def test_older_samples_are_appended_and_distant_tiles_emptied(open_page, site):
    site.manage("shell", "-c", MANY)
    page = open_page("/samples/?q=many", (600, 500))
    wait_for(lambda: page.mouse.wheel(0, 3000) or page.locator("#gallery .tile").count() == 300, 60, "all samples")
    assert page.locator("#gallery img").count() < 250
    assert "before=" in page.url


def test_a_new_sample_appears_in_the_grid_without_a_reload(grid, site):
    draw(site, 6)
    expect(grid.locator(".step-grid tbody tr")).to_have_count(3)
