"""Screenshots of every page: `make screenshots`, or `python -m tests.screenshots FOLDER [--data FOLDER]`.

Without `--data` a new site trains the demo first, until it has samples. Each page is captured at three widths, in
light and dark, and `index.html` in the folder shows the screenshots side by side.
"""

from __future__ import annotations

import argparse
import html
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
import tests.data_folder  # noqa: F401  before anything reads the settings
from tests.integration.site import Site
from tests.needs import chromium
from tests.waiting import wait_for

WIDTHS = (390, 1024, 1600)
COLOURS = ("light", "dark")
PAGES = {
    "sign-in": "/sign-in/",
    "dashboard": "/",
    "runs": "/runs/",
    "queue": "/queue/",
    "compare": "/compare/?runs={run}",
    "new-run": "/runs/new/",
    "new-run-training": "/runs/new/?tab=training",
    "wizard": "/runs/wizard/",
    "import": "/runs/import/",
    "run": "/runs/{run}/",
    "run-samples": "/runs/{run}/samples/",
    "run-metrics": "/runs/{run}/metrics/",
    "run-log": "/runs/{run}/log/",
    "run-config": "/runs/{run}/config/",
    "run-timeline": "/runs/{run}/timeline/",
    "run-files": "/runs/{run}/files/",
    "data-sets": "/datasets/",
    "presets": "/presets/",
    "preset": "/presets/{preset}/",
    "new-preset": "/presets/new/",
    "samples": "/samples/",
    "sample": "/samples/{sample}/",
    "system": "/system/",
    "cleanup": "/system/cleanup/",
    "doctor": "/system/doctor/",
    "audit": "/system/audit/",
    "account": "/account/",
    "tokens": "/account/tokens/",
    "sessions": "/account/sessions/",
    "second-factor": "/account/2fa/",
    "away": "/away/",
    "not-found": "/nothing-here/",
}
FILL = "import json; from tests.states import fill; print(json.dumps(fill()))"
SAMPLES = 8  # of the demo before the pictures are taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="an existing data folder")
    parser.add_argument("--only", nargs="*", default=[], help=f"some of {', '.join(PAGES)}")
    options = parser.parse_args()
    with site_of(options.data) as site:
        options.folder.mkdir(parents=True, exist_ok=True)
        pages = PAGES | ({} if options.data else filled(site))
        chosen = {name: path for name, path in pages.items() if not options.only or name in options.only}
        take(site, chosen, options.folder)
    contact_sheet(options.folder, list(chosen))


@contextmanager
def site_of(data: Path | None) -> Iterator[Site]:
    """A running site, with the given history or with a demo that trains."""
    root = Path(tempfile.mkdtemp(prefix="screenshots-"))
    site = Site((data or root / "data").resolve())
    site.terminal = root / "terminal"
    try:
        site.start(*(["--no-worker", "--no-demo"] if data else []))
        if not data:
            wait_for(lambda: len(newest_samples(site, SAMPLES)) == SAMPLES, 1200, "samples of the demo")
        yield site
    finally:
        site.clean_up()
        shutil.rmtree(root)


def filled(site: Site) -> dict[str, str]:
    """Pages in other states, with rows created for them; a given history is not changed."""
    return json.loads(site.manage("shell", "-v", "0", "-c", FILL).splitlines()[-1])


def newest_samples(site: Site, count: int) -> list[dict[str, Any]]:
    return site.api("GET", f"samples/latest?count={count}")["samples"]


def take(site: Site, pages: dict[str, str], folder: Path) -> None:
    names = {
        "run": site.status()["run_id"],
        "preset": next(iter(site.api("GET", "presets/")["results"]), {}).get("id"),
        "sample": next(iter(newest_samples(site, 1)), {}).get("id"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        state = site.sign_in(browser)
        for width, colours in itertools.product(WIDTHS, COLOURS):
            viewport = {"width": width, "height": 900}
            for name, path in pages.items():
                given = None if name == "sign-in" else state
                context = browser.new_context(storage_state=given, viewport=viewport, color_scheme=colours)
                page = context.new_page()
                page.goto(site.address + path.format(**names), wait_until="load")
                page.wait_for_timeout(400)  # time for scripts to draw; this is a screenshot, not a test
                page.screenshot(path=folder / f"{name}-{width}-{colours}.png", full_page=True)
                context.close()
            sys.stdout.write(f"{width} px, {colours}: {len(pages)} pages\n")
        browser.close()


def contact_sheet(folder: Path, names: list[str]) -> None:
    rows = []
    for name in names:
        shots = (f"{name}-{width}-{colours}.png" for width, colours in itertools.product(WIDTHS, COLOURS))
        pictures = "".join(f'<a href="{shot}"><img src="{shot}" alt="{shot}" loading="lazy"></a>' for shot in shots)
        rows.append(f"<h2>{html.escape(name)}</h2><p>{pictures}</p>")
    style = "<style>img { height: 20rem; margin: .25rem; border: 1px solid #888; }</style>"
    (folder / "index.html").write_text(f"<!doctype html><title>Every page</title>{style}{''.join(rows)}")


if __name__ == "__main__":
    main()
