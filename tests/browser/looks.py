"""Checks of every page: it is accessible, and fits its screen."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from playwright.sync_api import Page

from tests.waiting import wait_for

AXE = settings.BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
WIDE, PHONE = (1400, 900), (390, 844)


def dress(page: Page, size: tuple[int, int], **media: Any) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(**media)


def violations(page: Page, **options: Any) -> list[str]:
    """The violations that axe finds, as readable lines; its options may select rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())  # as a debugger does, so that the page's security policy stays active
    options |= {"resultTypes": ["violations"]}  # half of the time without the list of passed rules
    found = page.evaluate("(options) => axe.run(options).then((result) => result.violations)", options)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def fits(page: Page) -> None:
    """The page is as wide as its screen; charts follow a change of the screen's width in the next frame."""
    narrow_enough = "document.documentElement.scrollWidth <= innerWidth"
    wait_for(lambda: page.evaluate(narrow_enough), 20, "a page that is as wide as its screen")


def check(page: Page) -> None:
    assert violations(page) == []
    fits(page)


def check_both(page: Page) -> None:
    """Check it wide and light, then narrow and dark, without a second load: its styles alone make it narrow or dark."""
    for size, colours in ((WIDE, "light"), (PHONE, "dark")):
        dress(page, size, color_scheme=colours, reduced_motion="reduce")
        check(page)
