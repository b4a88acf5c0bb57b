"""What each page costs the server on a big history, in milliseconds, in queries, and as a ratio to `GET /api/me`.

`python -m benchmarks.pages FOLDER`, on a data folder that `benchmarks.big_database` filled. All pages are asked in turn
in one process, without a network; medians. With `--browser` also what a reader waits for, in chromium: the first paint
of each page, the chart of the longest run from click to drawn, and frames per second while pages are scrolled.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

ROUNDS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    os.environ |= {
        "DATA_DIR": str(options.folder.resolve()),
        "DJANGO_SETTINGS_MODULE": "onetrainer_site.settings",
        "LOG_LEVEL": "ERROR",
    }
    pages = _measure_server()
    if options.browser:
        from benchmarks.pages_in_browser import measure

        measure(options.folder.resolve(), pages)


def _measure_server() -> dict[str, str]:
    """Print a line for each page; return the pages."""
    client = _client()
    pages = _pages()
    times: dict[str, list[float]] = {name: [] for name in pages}
    queries: dict[str, int] = {}
    for _ in range(ROUNDS + 1):  # the first round fills what is kept in memory, and is not counted
        for name, path in pages.items():
            taken, queries[name] = _ask(client, path)
            times[name].append(taken)
    bare = statistics.median(times["who I am"][1:])
    print(f"{'':34}{'ms':>8}{'ratio':>8}{'queries':>9}")
    for name, taken_times in times.items():
        median = statistics.median(taken_times[1:])
        print(f"{name:34}{median:8.1f}{median / bare:8.1f}{queries[name]:9}")
    return pages


def _ask(client: Any, path: str) -> tuple[float, int]:
    """Milliseconds and queries of one call."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    began = time.perf_counter()
    answer = client.get(path)
    taken = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answered {answer.status_code}")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(path)
    return taken, len(captured)


def _client() -> Any:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client, override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    memory = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    layer = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    storages = settings.STORAGES | {"staticfiles": plain}
    override_settings(STORAGES=storages, CACHES=memory, CHANNEL_LAYERS=layer, ALLOWED_HOSTS=["testserver"]).enable()
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("measure"))
    return client


def _pages() -> dict[str, str]:
    """Names and addresses; `long` is the run of the most steps."""
    from samples.models import Sample
    from training.models import Run

    long = Run.objects.order_by("-progress__global_step")[0]
    other = Run.objects.exclude(pk=long.pk).filter(status="finished")[0]
    run = f"/runs/{long.pk}/"
    sample = Sample.objects.order_by("-created_at")[0]
    return {
        "who I am": "/api/me",
        "dashboard": "/",
        "history": "/runs/",
        "history, searched in the config": "/runs/?q=watercolour",
        "history, by a tag and a word": "/runs/?tag=style&q=watercolour",
        "history, by a word of no run": "/runs/?q=nowhere",
        "history, filtered and sorted": "/runs/?status=finished&order=loss",
        "queue": "/queue/",
        "compare two runs": f"/compare/?runs={long.pk},{other.pk}",
        "run": run,
        "run, samples": f"{run}samples/",
        "run, metrics": f"{run}metrics/",
        "run, log of 100 MB": f"{run}log/",
        "run, config": f"{run}config/",
        "run, timeline": f"{run}timeline/",
        "a million steps of loss, thinned": f"/api/runs/{long.pk}/metrics?tag=loss&points=2000",
        "gallery": "/samples/",
        "gallery, by a word of many prompts": "/samples/?q=teapot",
        "gallery, by a word of no prompt": "/samples/?q=nowhere",
        "gallery, by run and word": f"/samples/?run={long.pk}&q=teapot",
        "gallery, by steps and dates": "/samples/?step_from=100&step_to=150&since=2020-01-01",
        "gallery, favourites": "/samples/?favourite=true",
        "sample": f"/samples/{sample.pk}/",
        "presets": "/presets/",
        "new run": "/runs/new/",
        "system": "/system/",
        "doctor": "/system/doctor/",
        "clean-up": "/system/cleanup/",
        "account": "/account/",
    }


if __name__ == "__main__":
    main()
