"""A real site with a run that trains, and a browser that is signed in to it."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.integration.conftest import (  # noqa: F401  fixtures
    collected_static_files,
    config,
    demo_folder,
    make_site,
)
from tests.needs import needs_chromium

WIDE, PHONE = (1400, 900), (390, 844)
expect.set_options(timeout=30_000)  # a condition is waited for; on a machine that trains beside, that takes a while


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(needs_chromium)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(make_site, config):  # noqa: F811
    """A site with a run that trains until it is stopped, and has one sample."""
    site = make_site("browser").start("--no-demo")
    site.start_run(config)
    site.wait_for_step(3)
    return site


@pytest.fixture(scope="module")
def signed_in(browser, site):
    """Cookies of the admin, who came by the printed link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.link)
    page.wait_for_url(f"{site.address}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(browser, site, signed_in):
    """Open a page of the site; at the end no page may have written an error to its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_it(path: str = "/", size: tuple[int, int] = WIDE, **options: Any) -> Page:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(**{"storage_state": signed_in, "viewport": viewport} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.address + path)
        return page

    open_it.complaints = complaints  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
