"""A real site with a run that trains, and a browser that is signed in to it."""

from __future__ import annotations

import functools
import os
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.integration.conftest import (  # noqa: F401  fixtures
    begun,
    collected_static_files,
    config,
    demo_folder,
    make_site,
    sites_of,
)
from tests.needs import chromium, needs_chromium

WIDE, PHONE = (1400, 900), (390, 844)
# For each new window Chromium draws menus of its address bar as pages of their own, which nobody sees here and which
# cost more than the page that is tested. This list takes the place of Playwright's, so what that needs is in it too.
WITHOUT = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "SpareRendererForSitePerProcess",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "OptimizationHints",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
)
CHROMIUM = ["--no-sandbox", "--disable-gpu", f"--disable-features={','.join(WITHOUT)}"]
PATIENCE = 60_000  # ms; a condition is waited for, and on a machine that trains beside, that takes a while
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(needs_chromium)


@pytest.fixture(scope="package")
def browser():
    """One for all files here; gone before other tests, which cannot run their event loops beside Playwright's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def quiet_site(demo_folder, begun):  # noqa: F811
    """A site on which nothing trains, for all files that leave there what does not disturb the others."""
    with sites_of(demo_folder, begun) as make:
        yield make("quiet").start("--no-demo")


@pytest.fixture(scope="package")
def idle_site(demo_folder, begun):  # noqa: F811
    """A site without a worker, for files that fill it with rows of their own and take those of others away."""
    with sites_of(demo_folder, begun) as make:
        yield make("idle").start("--no-demo", "--no-worker")


@pytest.fixture(scope="package")
def programs(tmp_path_factory):
    """A folder for programs that the training site finds before all others."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="package")
def training_site(demo_folder, begun, config, programs):  # noqa: F811
    """A site with a run that trains while a file or a test wants it to, and pauses otherwise."""
    with sites_of(demo_folder, begun) as make:
        site = make("busy", PATH=f"{programs}:{os.environ['PATH']}").start("--no-demo")
        site.start_run(config)
        site.wait_for_step(3)
        pause(site)
        yield site


@pytest.fixture(scope="module")
def busy_site(training_site):
    """A site with a run that trains, for all files that leave it so; it pauses while others need the processor."""
    go_on(training_site)
    yield training_site
    pause(training_site)


@pytest.fixture(scope="module")
def site(busy_site):
    return busy_site


def go_on(site):
    site.api("POST", f"runs/{site.status()['run_id']}/continue")
    site.wait_for_status("running")


def pause(site):
    site.api("POST", f"runs/{site.status()['run_id']}/pause")
    site.wait_for_status("paused")


@pytest.fixture(scope="package")
def sign_in(browser):
    """Cookies of a site's admin, who came by the printed link, which leads in once."""

    return functools.cache(lambda site: site.sign_in(browser))


@pytest.fixture(scope="module")
def signed_in(sign_in, site):
    return sign_in(site)


@pytest.fixture
def open_page(browser, site, signed_in):
    """Open a page of the site; at the end no page may have written an error to its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_it(path: str = "/", size: tuple[int, int] = WIDE, **options: Any) -> Page:
        page = new_window(browser, complaints, size, **{"storage_state": signed_in} | options)
        contexts.append(page.context)
        page.goto(site.address + path)
        return page

    open_it.complaints = complaints  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def windows(browser, signed_in):
    """Those that stay open for a whole file, one for each size and colours; with what their consoles were told."""
    opened: dict[Any, Page] = {}
    complaints: list[str] = []

    def window(size: tuple[int, int], **options: Any) -> Page:
        look = (size, *options.items())
        if look not in opened:
            opened[look] = new_window(browser, complaints, size, storage_state=signed_in, **options)
        return opened[look]

    yield window, complaints
    for page in opened.values():
        page.context.close()


@pytest.fixture
def go_to(site, windows):
    """As `open_page`, for tests that only look: in a window that has been open before, and has its styles already."""
    window, complaints = windows

    def go(path: str = "/", size: tuple[int, int] = WIDE, **options: Any) -> Page:
        page = window(size, **options)
        page.goto(site.address + path)
        return page

    go.complaints = complaints  # type: ignore[attr-defined]
    complaints.clear()
    yield go
    assert complaints == []


def new_window(browser: Any, complaints: list[str], size: tuple[int, int], **options: Any) -> Page:
    """An empty page in a window of its own; what goes wrong in it is added to the complaints."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page
