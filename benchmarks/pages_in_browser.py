"""What a reader waits for, in chromium, on a big history: paint, the longest chart, and smooth scrolling."""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

LINK = r"http://\S+/sign-in/\S+"
ROUNDS = 3
SCROLLED = ("history", "gallery", "run, metrics", "run, samples")
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
# Notes when the first chart has its curves, in milliseconds after the click that led to the page.
DRAWN = """
new MutationObserver((_, observer) => {
  const canvas = document.querySelector('[data-run-page] .uplot canvas');
  if (!canvas) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => (window.drawnAt = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""
# Frames in a second in which the page is scrolled a little in each.
FRAMES = """
() => new Promise((resolve) => {
  const began = performance.now();
  let frames = 0;
  const step = () => {
    scrollBy(0, 24);
    frames += 1;
    performance.now() - began < 1000 ? requestAnimationFrame(step) : resolve(frames);
  };
  requestAnimationFrame(step);
})
"""


def measure(folder: Path, pages: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "serve", "--port", "0", "--no-worker", "--no-demo"]
    environment = os.environ | {"DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as site:
        try:
            link = next(found[0] for line in site.stdout or [] if (found := re.search(LINK, line)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                address = link.partition("/sign-in/")[0]
                page.goto(link)
                page.click("#sign-in-by-link")
                page.wait_for_url(f"{address}/")
                _report(page, address, {name: path for name, path in pages.items() if "/api/" not in path})
        finally:
            site.send_signal(signal.SIGINT)


def _report(page: Page, address: str, pages: dict[str, str]) -> None:
    page.add_init_script(DRAWN)
    print(f"\n{'':34}{'first paint, ms':>17}{'frames/s':>10}")
    for name, path in pages.items():
        paints = [_paint(page, address + path) for _ in range(ROUNDS)]
        frames = f"{page.evaluate(FRAMES):10.0f}" if name in SCROLLED else ""
        print(f"{name:34}{statistics.median(paints):17.0f}{frames}")
    drawn = statistics.median(_drawn(page, address, pages) for _ in range(ROUNDS))
    print(f"{'a million steps, click to drawn':34}{drawn:17.0f}")


def _paint(page: Page, address: str) -> float:
    page.goto(address, wait_until="load")
    return _soon(page, PAINT)


def _drawn(page: Page, address: str, pages: dict[str, str]) -> float:
    page.goto(address + pages["run"])
    page.locator(f"a[href='{pages['run, metrics']}']").first.click()
    return _soon(page, "window.drawnAt ?? 0")


def _soon(page: Page, expression: str) -> float:
    """Its value once it is not 0; asked from outside, as the pages' policy evaluates no strings."""
    while not (value := page.evaluate(expression)):
        page.wait_for_timeout(20)
    return value
