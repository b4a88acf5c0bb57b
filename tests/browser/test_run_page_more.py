"""A run's page by touch, and links from its samples and files. These tests need no training."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.looks import PHONE, check

A_RUN = """
from PIL import Image
from tests.making import make_run
from tests.states import empty
empty()
run = make_run(status="running", name="touched")
folder = run.folder / "workspace" / "samples"
folder.mkdir(parents=True)
settings = {"width": 64, "height": 64, "seed": 7, "diffusion_steps": 20, "cfg_scale": 3.0, "noise_scheduler": "DDIM"}
for number in range(4):
    step, index = 10 * (number // 2), number % 2
    path = folder / f"{number}.png"
    Image.new("RGB", (256, 256), (60 * number, 90, 120)).save(path)
    prompt = ("a red circle", "a blue square")[index]
    facts = {"index": index, "global_step": step, "prompt": prompt, "path": path, "settings": settings}
    run.samples.create(attempt=1, sequence=number, **facts)
run.artifacts.create(attempt=1, sequence=9, kind="save", path=path, size=1, sha256="ab" * 32, global_step=10)
"""


@pytest.fixture(scope="module")
def site(idle_site):
    """A site with a single run."""
    idle_site.manage("shell", "-c", A_RUN)
    return idle_site


@pytest.fixture
def phone(open_page, site):
    return open_page(f"/runs/{site.api('GET', 'runs/')['results'][0]['id']}/samples/", PHONE, has_touch=True)


@pytest.fixture
def touch(phone):
    """Move fingers over the screen: one list of positions for each finger, all of the same length."""
    session = phone.context.new_cdp_session(phone)

    def send(kind, places):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def move(*fingers):
        steps = list(zip(*fingers, strict=True))
        send("touchStart", steps[0])
        for step in steps[1:]:
            send("touchMove", step)
        send("touchEnd", [])

    return move


@pytest.fixture
def stage(phone):
    """The picture of the first prompt at the newest step, in the lightbox."""
    phone.locator(".step-grid .thumb-link").first.tap()
    stage = phone.locator("#lightbox .sample-stage")
    expect(stage.locator("img")).to_have_js_property("complete", True)
    return stage


def middle(place):
    box = place.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def along(x, y, dx, dy, count=8):
    return [(x + dx * part / count, y + dy * part / count) for part in range(count + 1)]


def pinch(x, y, before, after):
    """Two fingers around a point, at these distances before and after."""
    return along(x - before, y, before - after, 0), along(x + before, y, after - before, 0)


def prompt_and_step(page):
    sample = page.locator("#lightbox .sample")
    return page.locator("#lightbox .sample-prompt").inner_text(), sample.get_attribute("aria-label")


def test_swipes_change_prompt_and_step(phone, stage, touch):
    x, y = middle(stage)
    for dx, dy, prompt, step in (
        (-150, 0, "a blue square", 10),
        (0, -150, "a blue square", 0),
        (150, 0, "a red circle", 0),
        (0, 150, "a red circle", 10),
    ):
        touch(along(x, y, dx, dy))
        expect(phone.locator("#lightbox .sample-prompt")).to_have_text(prompt)
        expect(phone.locator("#lightbox .sample")).to_have_attribute("aria-label", f"Sample of step {step}")


def test_two_fingers_zoom_one_pans_and_neither_changes_the_sample(phone, stage, touch):
    x, y = middle(stage)
    shown = prompt_and_step(phone)
    touch(*pinch(x, y, 20, 80))
    expect(stage).to_have_class("sample-stage is-zoomed")
    assert 3 < float(stage.get_attribute("data-scale")) < 5
    place = stage.locator("img").evaluate("picture => picture.style.transform")
    touch(along(x, y, -90, 0))
    assert stage.locator("img").evaluate("picture => picture.style.transform") != place
    touch(*pinch(x, y, 140, 10))
    expect(stage).to_have_class("sample-stage")
    assert prompt_and_step(phone) == shown


def test_the_slider_between_two_steps_follows_a_finger(phone, stage, touch):
    phone.locator("#lightbox").get_by_role("link", name="Compare").tap()
    line, picture = phone.locator(".versus-line"), phone.locator("#versus")
    phone.wait_for_url("**/samples/compare/**", wait_until="load")
    x, y = middle(picture)
    begin = line.evaluate("line => parseFloat(line.style.left)")
    touch(along(x, y, 100, 0))
    assert line.evaluate("line => parseFloat(line.style.left)") > begin + 15
    check(phone)


def test_a_sample_in_the_lightbox_fills_the_form_for_new_samples(phone, stage):
    check(phone)
    phone.locator("#lightbox").get_by_role("link", name="Generate again").tap()
    expect(phone.locator("#lightbox")).to_be_hidden()
    expect(phone.locator("#draw-prompt")).to_be_focused()
    values = {name: phone.locator(f"#draw-{name}").input_value() for name in ("prompt", "seed", "width", "sampler")}
    assert values == {"prompt": "a red circle", "seed": "7", "width": "64", "sampler": "DDIM"}


def test_a_file_links_to_its_settings_and_they_link_to_a_new_run(phone):
    phone.get_by_role("link", name="Files").tap()
    phone.wait_for_url("**/files/")
    check(phone)
    phone.get_by_role("link", name="Settings of this file").tap()
    expect(phone.get_by_role("heading", name="Settings of the save at step 10")).to_be_visible()
    assert phone.locator(".tabs [aria-current]").evaluate("tab => tab.getBoundingClientRect().right <= innerWidth")
    check(phone)
    phone.get_by_role("link", name="New run from these settings").tap()
    expect(phone.locator("#start option:checked")).to_have_text("save at step 10 of run touched")
