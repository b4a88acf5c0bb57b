"""The GPUs of a machine on its system page, read from a stand-in for NVIDIA's driver."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import expect

from system.readings import KEPT_SLOTS, SLOT_SECONDS
from tests.browser.looks import check_both
from tests.needs import needs_cc

GPU = "gpu|NVIDIA GeForce RTX 4090|GPU-aaaa|24564|10240|{use}|64|{milliwatts}|2520"
SECOND_GPU = "gpu|NVIDIA A100-SXM4-80GB|GPU-bbbb|81920|512|3|31|-|210"
pytestmark = needs_cc


@pytest.fixture(scope="module")
def site(training_site):
    return training_site


@pytest.fixture(scope="module")
def cards(site, site_driver):
    """Have the machine's two GPUs report these values; the site's training uses the first GPU."""
    site_driver.install()
    training = site.process_of("engine.builtin").pid
    users = (f"use|0|{training}|9216|/usr/bin/python3", "use|1|4194305|512|/usr/bin/blender")

    def do(use: int, milliwatts: int) -> None:
        site_driver.say(GPU.format(use=use, milliwatts=milliwatts), SECOND_GPU, *users)

    do(97, 318_500)
    yield do
    site_driver.answers.unlink()


@pytest.fixture(scope="module")
def two_hours(site):
    """Readings of the first GPU for the last two hours: its usage rose, and its clock fell."""
    newest = int(time.time()) // SLOT_SECONDS
    with closing(sqlite3.connect(site.folder / "db.sqlite3", timeout=60)) as database, database:
        (host,) = database.execute("select host from system_worker").fetchone()
        for age in range(12, KEPT_SLOTS, 3):
            card = {"use": 100 - age / 8, "memory": 9.5, "temperature": 60, "power": 300, "clock": 1000 + age}
            values = json.dumps({"cpu": 50, "memory": 40, "gpus": {"0": card}})
            row = (host, newest - age, values)
            database.execute('insert or ignore into system_reading (host, slot, "values") values (?, ?, ?)', row)


def card(page, name):
    return page.locator(".gpu").filter(has_text=name)


@pytest.mark.usefixtures("two_hours")
def test_each_gpu_shows_live_its_usage_its_processes_and_its_last_two_hours(open_page, site, cards):
    page = open_page("/system/")
    first, second = card(page, "RTX 4090"), card(page, "A100")
    for text in ("97 %", "10.0 of 24.0 GB", "64 °C", "31", "2520 MHz"):
        expect(first if text != "31" else second).to_contain_text(text)
    expect(first).to_contain_text(re.compile("31[89] W"))
    expect(second).to_contain_text("0.5 of 80.0 GB")
    run = site.run(site.status()["run_id"])
    expect(first.get_by_role("link", name=run["name"])).to_have_attribute("href", f"/runs/{run['id']}/")
    expect(second.locator(".gpu-users")).to_contain_text("blender, process 4194305, not of this site")
    expect(first.locator(".usage-chart canvas")).to_have_count(5)
    for chart, unit in enumerate(("in use, %", "memory, GB", "temperature, °C", "power, W", "clock, MHz")):
        expect(first.locator(".usage-chart").nth(chart)).to_contain_text(unit)
    page.evaluate("window.sameDocument = true")
    cards(12, 80_500)
    expect(first).to_contain_text("12 %")
    expect(first).to_contain_text(re.compile("8[01] W"))
    assert page.evaluate("sameDocument")


@pytest.mark.usefixtures("cards", "two_hours")
def test_gpus_are_accessible_and_as_wide_as_their_screen(open_page):
    page = open_page("/system/")
    expect(card(page, "RTX 4090").locator("canvas").first).to_be_visible()
    check_both(page)
