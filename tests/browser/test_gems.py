"""Three ended runs: found by every filter, changed together, and compared with their samples."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

ROWS = """
from datetime import datetime, timedelta, timezone
from django.contrib.auth.models import User
from PIL import Image
from presets.config.configs import full_config
from presets.models import Preset
from samples.models import Sample
from training.metrics.loss_lines import draw_loss
from training.models import Metric, Run
ada = User.objects.create_user("ada")
preset = Preset.objects.create(name="Jewels")
then = datetime(2025, 3, 4, 12, tzinfo=timezone.utc)
ended = {"status": "finished", "attempt": 1, "tags": ["gem"]}
for number, (name, model, facts) in enumerate([
    ("Ruby", "STABLE_DIFFUSION_15", {"owner": ada}),
    ("Onyx", "STABLE_DIFFUSION_20_BASE", {"preset": preset}),
    ("Opal", "STABLE_DIFFUSION_15", {}),
]):
    day = then + timedelta(days=number)
    config = full_config("builtin", {"model_type": model, "learning_rate": (number + 1) / 1000})
    times = {"created_at": day, "started_at": day, "ended_at": day + timedelta(hours=1)}
    run = Run.objects.create(name=name, config=config, **ended, **times, **facts)
    run.progress.write(smooth_loss=0.1 * (number + 1), global_step=20, max_step=10, max_epoch=2)
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="smooth_loss", step=step, value=1 / (step + 1), time=day.timestamp() + 60 * step)
        for step in range(20)
    )
    draw_loss(run)
    run.folder.mkdir(parents=True)
    for step in (10, 20):
        path = run.folder / f"{step}.png"
        Image.new("RGB", (32, 32), (80 * number, 10 * step, 90)).save(path)
        Sample.objects.create(
            run=run, attempt=1, sequence=step, path=str(path), index=step // 20,
            prompt="a gem on a table" if step == 10 else "a gem on a shelf",
            settings={"seed": 5, "width": 32, "height": 32}, global_step=step, created_at=day,
        )
"""


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


@pytest.fixture(scope="module", autouse=True)
def gems(site):
    site.manage("shell", "-v", "0", "-c", f"exec({ROWS!r})")


@pytest.fixture
def table(open_page):
    return open_page("/runs/?tag=gem&sort=name")


def names(page):
    return page.locator("tbody .run-name")


def choose(page, label, choice):
    """Fill in a filter, which applies when the page has loaded its script."""
    page.wait_for_load_state()
    page.get_by_label(label, exact=True).select_option(choice)


def test_runs_are_filtered_by_preset_model_person_and_date_and_each_shows_its_curve(table):
    expect(names(table)).to_have_text(["Onyx", "Opal", "Ruby"])
    assert table.locator("tbody .cell-loss polyline").count() == 3
    for label, choice, found in (
        ("Model", "STABLE_DIFFUSION_15", ["Opal", "Ruby"]),
        ("Person", "ada", ["Ruby"]),
    ):
        choose(table, label, choice)
        expect(names(table)).to_have_text(found)
    table.locator(".chip").filter(has_text="Model").click()
    table.locator(".chip").filter(has_text="Person").click()
    expect(names(table)).to_have_count(3)
    choose(table, "Preset", "Jewels")
    expect(names(table)).to_have_text(["Onyx"])
    table.goto(table.url.partition("?")[0] + "?tag=gem&from=2025-03-05&to=2025-03-06")
    expect(names(table)).to_have_text(["Opal", "Onyx"])


def test_selected_runs_are_tagged_made_favourites_and_saved_as_a_table(table):
    table.get_by_label("Select Onyx").click()
    table.get_by_label("Select Ruby").click(modifiers=["Shift"])
    expect(table.locator("#bulk-count")).to_have_text("3 runs selected")
    table.get_by_label("Select Opal").uncheck()
    with table.expect_download() as download:
        table.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert sorted(row["name"] for row in rows) == ["Onyx", "Ruby"]
    table.get_by_role("button", name="Tag", exact=True).click()
    expect(table.get_by_text("The tag will be added to 2 runs")).to_be_visible()
    table.get_by_label("Tag").fill("dark")
    table.get_by_role("button", name="Tag").click()
    expect(table.get_by_text("2 runs were tagged.")).to_be_visible()
    expect(table.locator("tbody tr").filter(has_text="Opal").locator(".run-tag")).to_have_text(["gem"])
    table.locator(".run-tag").filter(has_text="dark").first.click()
    expect(names(table)).to_have_text(["Onyx", "Ruby"])
    table.get_by_label("Select all on this page").check()
    table.get_by_role("button", name="Add to favourites", exact=True).click()
    table.get_by_role("button", name="Add to favourites", exact=True).click()
    expect(table.get_by_text("2 runs were added to your favourites.")).to_be_visible()
    assert table.locator("tbody .star[aria-pressed=true]").count() == 2


def test_three_runs_are_laid_over_each_other_by_epoch_with_their_settings_and_samples(table):
    table.get_by_label("Select all on this page").check()
    table.get_by_role("button", name="Compare").click()
    legend = table.locator("#compare-canvas .u-legend")
    table.get_by_label("Align by").select_option("epochs")
    expect(legend).to_contain_text("epoch")
    for name in ("Ruby", "Onyx", "Opal"):
        expect(legend).to_contain_text(name)
    table.locator("#compare-canvas .u-over").hover()
    expect(legend.locator(".u-value").first).to_have_text(re.compile(r"^(0\.9|1)"))
    rates = table.locator(".compare-table tbody tr").filter(has_text="learning_rate")
    assert sorted(rates.locator("td").all_inner_texts()) == ["0.001", "0.002", "0.003"]
    expect(table.locator(".compare-samples tbody th")).to_have_count(1)
    expect(table.locator(".compare-samples tbody img")).to_have_count(3)
    before = table.locator(".compare-samples img").first.get_attribute("src")
    table.get_by_label("Prompt and seed").select_option(index=1)
    expect(table.locator(".compare-samples img").first).not_to_have_attribute("src", before)
    table.locator(".compare-samples img").first.click()
    expect(table.locator(".sample-prompt")).to_contain_text("a gem on a")


def test_the_gallery_is_filtered_by_run_step_date_and_favourite(open_page):
    page = open_page("/samples/?q=gem")
    tiles, show = page.locator("#gallery .tile"), page.get_by_role("button", name="Show")
    expect(tiles).to_have_count(6)
    page.get_by_label("Generated from").fill("2025-03-05")
    page.get_by_label("Generated up to").fill("2025-03-05")
    show.click()
    expect(tiles).to_have_count(2)
    expect(tiles.filter(has_text="Onyx")).to_have_count(2)
    page.goto(page.url.partition("?")[0] + "?q=gem")
    page.get_by_label("Run", exact=True).select_option(label="Opal")
    page.get_by_label("Steps from").fill("15")
    show.click()
    expect(tiles).to_have_count(1)
    tiles.locator("input").check()
    page.locator("#selection").get_by_role("button", name="Favourite", exact=True).click()
    expect(tiles.locator(".thumb-star")).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?q=gem")
    page.get_by_label("Favourites only").check()
    show.click()
    expect(tiles).to_have_count(1)
    expect(tiles).to_contain_text("step 20")
    expect(page.get_by_role("link", name="Clear", exact=True)).to_have_attribute("href", "/samples/")


def test_two_runs_are_compared_under_the_slider_by_one_prompt_and_seed(open_page):
    page = open_page("/samples/?q=shelf")
    page.locator("#gallery .thumb-link").first.click()
    facts = page.locator("#lightbox .facts").first
    expect(facts).to_contain_text("Opal")
    expect(facts).to_contain_text("32 × 32")
    expect(facts.locator("dt", has_text="Seed").locator("+ dd")).to_have_text("5")
    page.locator("#lightbox").get_by_role("link", name="Compare").click()
    page.wait_for_url("**/samples/compare/**")
    page.get_by_label("Right: run").select_option(label="Ruby")
    expect(page.locator(".versus-label-right")).to_contain_text("Ruby")
    expect(page.locator(".versus-label-left")).to_contain_text("Opal")
    for picture in page.locator("#versus img").all():
        expect(picture).to_have_js_property("naturalWidth", 32)
