"""Real sites, with and without a run that trains, and a browser that is signed in."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.browser.looks import WIDE, check_both, dress
from tests.integration.conftest import (  # noqa: F401  fixtures
    begun,
    collected_static_files,
    config,
    demo_folder,
    make_site,
    nursery,
    sites_of,
)
from tests.needs import chromium, needs_chromium
from tests.nvml import Driver

LOOKS = {"color_scheme", "reduced_motion"}  # options of a single page in a shared context
# For each new window Chromium renders menus of its address bar as separate pages, which no test sees and which cost
# more than the tested page. This list replaces Playwright's list, so it also has Playwright's own features.
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
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--renderer-process-limit=1", f"--disable-features={','.join(WITHOUT)}"]
PATIENCE = 60_000  # ms; tests wait for conditions, which takes longer while the machine also trains
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(needs_chromium)


@pytest.fixture(scope="package")
def browser():
    """One Playwright for all files here; it ends before other tests, whose event loops cannot run next to it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def quiet_site(demo_folder, begun):  # noqa: F811
    """A site without a training, for files whose leftovers do not disturb other files."""
    with sites_of(demo_folder, begun) as make:
        yield make("quiet").start("--no-demo")


@pytest.fixture(scope="package")
def idle_site(demo_folder, begun):  # noqa: F811
    """A site without a worker, for files that create their own rows and delete all other rows."""
    with sites_of(demo_folder, begun) as make:
        yield make("idle").start("--no-demo", "--no-worker")


@pytest.fixture(scope="package")
def site_driver(tmp_path_factory):
    """A driver of GPUs that the training site finds once it is installed."""
    return Driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="package")
def training_site(demo_folder, begun, config, site_driver):  # noqa: F811
    """A site with a run that trains while a file or a test needs it, and is paused otherwise."""
    with sites_of(demo_folder, begun) as make:
        site = make("busy", **site_driver.environment).start("--no-demo")
        site.start_run(config)
        site.wait_for_step(3)
        pause(site)
        yield site


@pytest.fixture(scope="module")
def busy_site(training_site):
    """A site with a run that trains, for files that do not stop it; it is paused while other tests need the CPU."""
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
    """Cookies of a site's admin, who signed in with the printed one-time link."""

    return functools.cache(lambda site: site.sign_in(browser))


@pytest.fixture(scope="module")
def signed_in(sign_in, site):
    return sign_in(site)


class Profile:
    """A context that a file's tests share, so that each page finds cached style sheets and scripts.

    Service workers are blocked in it, because a test cannot route the requests that they answer.
    """

    def __init__(self, browser: Any, site: Any, signed_in: Any):
        self.signed_in, self.origin = signed_in, site.address
        self.context = new_context(browser, storage_state=signed_in, service_workers="block")
        self._devtools = self.context.new_cdp_session(self.context.new_page())

    def forget(self) -> None:
        """Reset cookies and storage to the state just after signing in."""
        self.context.set_offline(False)
        self.context.clear_cookies()
        self.context.add_cookies(self.signed_in["cookies"])
        self._devtools.send("Storage.clearDataForOrigin", {"origin": self.origin, "storageTypes": "local_storage"})


@pytest.fixture(scope="module")
def profile(browser, site, signed_in):
    profile = Profile(browser, site, signed_in)
    yield profile
    profile.context.close()


@pytest.fixture
def open_page(browser, site, signed_in, profile):
    """Open a page of the site; at the end, the console of every page must be free of errors.

    `alone` gives the page its own context, and so does any option other than those of its appearance.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    before = profile.context.pages

    def open_it(path: str = "/", size: tuple[int, int] = WIDE, alone: bool = False, **options: Any) -> Page:
        if alone or options.keys() - LOOKS:
            contexts.append(new_context(browser, **{"storage_state": signed_in} | options))
            page = new_page(contexts[-1], complaints, size)
        else:
            page = new_page(profile.context, complaints, size, **options)
        page.goto(site.address + path)
        return page

    open_it.complaints = complaints  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    for page in [page for page in profile.context.pages if page not in before]:
        page.close()
    profile.forget()
    assert complaints == []


@pytest.fixture(scope="module")
def window(profile):
    """A page that stays open for a whole file, and the errors in its console."""
    complaints: list[str] = []
    page = new_page(profile.context, complaints, WIDE, reduced_motion="reduce")
    yield page, complaints
    page.close()


@pytest.fixture
def look(site, window):
    """Check a page wide and light, then narrow and dark. It is loaded once, since its styles alone make it narrow."""
    page, complaints = window

    def look_at(path: str) -> Page:
        dress(page, WIDE, color_scheme="light")
        page.goto(site.address + path)
        check_both(page)
        return page

    look_at.complaints = complaints  # type: ignore[attr-defined]
    complaints.clear()
    yield look_at
    assert complaints == []


def new_context(browser: Any, **options: Any) -> BrowserContext:
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    return context


def new_page(context: BrowserContext, complaints: list[str], size: tuple[int, int], **look: Any) -> Page:
    """An empty page; its errors are added to the complaints."""
    page = context.new_page()
    dress(page, size, **look)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page
