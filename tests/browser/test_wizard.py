"""The wizard, from its first question to a trained model with the keyboard alone; and the look of its pages."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.looks import PHONE, check, check_both
from tests.waiting import wait_for

QUESTIONS = ("pictures", "subject", "model", "memory", "time")


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


def tab_to(page, selector):
    """Move the focus to this element; a group of radio buttons is one stop."""
    for _ in range(80):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"No key reaches {selector}.")


def choose(page, name, value):
    """Move the focus to this group of radio buttons, and choose a button with the arrow keys."""
    tab_to(page, f'input[name="{name}"]')
    if not page.locator(f'input[name="{name}"]:checked').count():
        page.keyboard.press("Space")
    for _ in range(20):
        if page.locator(f'input[name="{name}"][value="{value}"]').is_checked():
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"No key chooses {value}.")


def answer(page, question):
    """Send the answer with Enter, and wait for the next page."""
    following = [*QUESTIONS[1:], "review"][QUESTIONS.index(question)]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{following}/")


def type_into(page, selector, text):
    tab_to(page, selector)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def walk(page, demo_folder, minutes="60", look=lambda page: None):
    """Answer all five questions, after a look at each; an hour is enough at any speed."""
    for question in QUESTIONS:
        expect(page).to_have_url(re.compile(f"/wizard/({question}/)?$"))
        look(page)
        answer_one(page, demo_folder, question, minutes)


def answer_one(page, demo_folder, question, minutes):
    if question == "pictures":
        type_into(page, "#folder", str(demo_folder / "dataset"))
    elif question == "subject":
        choose(page, "kind", "style")
        type_into(page, "#word", "gray")
    elif question == "model":
        choose(page, "model", str(demo_folder / "model"))
    elif question == "memory":
        tab_to(page, 'input[name="device"]')
    else:
        type_into(page, "#minutes", minutes)  # typing chooses its card
    answer(page, question)


def start(page, site, press):
    """Start a short run from the review page; return it when it has ended."""
    site.api("PATCH", "config/current", {"changes": [{"field": "epochs", "value": 2}]})
    page.reload()
    page.get_by_role("button", name="Start training").focus()
    press()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    run_id = page.url.split("/")[-2]
    page.close()  # an open page would refresh at each step
    ended = ("finished", "failed")
    return wait_for(lambda: (run := site.run(run_id))["status"] in ended and run, 180, "the run's end"), run_id


def test_the_wizard_leads_to_a_trained_model_by_keyboard_alone(open_page, site, demo_folder):
    page = open_page("/runs/wizard/")
    walk(page, demo_folder, minutes="1")
    page.get_by_role("heading", name="The plan").wait_for()
    run, run_id = start(page, site, lambda: page.keyboard.press("Enter"))
    assert (run["name"], run["status"]) == ("gray on Tiny Stable Diffusion", "finished"), run["error"]
    artifacts = site.api("GET", f"runs/{run_id}/artifacts/")["results"]
    assert any(artifact["path"].endswith("models/gray.safetensors") for artifact in artifacts)


def test_every_question_is_accessible_and_as_wide_as_its_screen(open_page, demo_folder):
    walk(open_page("/runs/wizard/"), demo_folder, look=check_both)


def test_an_error_is_accessible_and_names_the_fix(open_page):
    page = open_page("/runs/wizard/", PHONE)
    page.locator("#folder").fill("/nowhere")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("is outside the allowed folders").wait_for()
    open_page.complaints.clear()  # browsers note the status 400
    check(page)


def test_pictures_of_this_device_become_a_trained_lora_in_at_most_ten_actions(open_page, site, demo_folder, tmp_path):
    files = []
    for number in range(20):
        Image.effect_noise((96, 80 + number), 40).convert("RGB").save(tmp_path / f"photo {number}.png")
        files.append(tmp_path / f"photo {number}.png")
    page, actions = open_page("/runs/wizard/"), iter(range(1, 100))
    page.get_by_text("Drop your pictures here").wait_for()
    page.locator("#upload-files").set_input_files(files)
    next(actions)
    expect(page.locator("#upload-sum")).to_contain_text("20 of 20 files")
    expect(page.locator("#folder")).to_have_value(re.compile("/datasets/Pictures"))
    check(page)
    for question in QUESTIONS:
        if question == "subject":
            page.locator("#word").fill("rex")
            page.get_by_text("An animal").click()
            expect(page.locator("#caption")).to_have_value("a photo of rex animal")
            next(actions), next(actions)
        if question == "model":
            page.locator(f'input[value="{demo_folder / "model"}"]').check(force=True)
            next(actions)
        if question == "time":
            page.get_by_text("One hour").click()  # the default, unless an earlier test has chosen another
        page.get_by_role("button", name=re.compile("Continue|Review the plan")).last.click()
        next(actions)
    expect(page.locator(".facts")).to_contain_text("20 pictures")
    check_both(page)
    run, _run_id = start(page, site, lambda: page.keyboard.press("Enter"))
    assert next(actions) <= 10
    assert run["status"] == "finished", run["error"]


def test_dismiss_removes_the_reasons(open_page, demo_folder):
    page = open_page("/runs/wizard/")
    walk(page, demo_folder)
    page.get_by_role("link", name="Open in the editor").click()
    page.get_by_role("button", name="Dismiss").click()
    page.locator("#wizard-note").wait_for(state="detached")
