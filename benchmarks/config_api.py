"""What schema, check and editor of a config cost, as ratios to the smallest call of the API in the same process.

`python -m benchmarks.config_api`: a site in a folder of its own, asked in turn without a network; medians.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 30


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "onetrainer_site.settings", "LOG_LEVEL": "ERROR"}
        calls = _calls()
        times: dict[str, list[float]] = {name: [] for name in calls}
        sizes: dict[str, int] = {}
        for _ in range(ROUNDS + 1):  # the first round fills what is kept in memory, and is not counted
            for name, call in calls.items():
                began = time.perf_counter()
                answer = call()
                times[name].append(1000 * (time.perf_counter() - began))
                sizes[name] = len(answer.content)
    bare = statistics.median(times["who I am"][1:])
    print(f"{'':26}{'ms':>8}{'ratio':>8}{'first ms':>10}{'kB':>8}")
    for name, taken in times.items():
        median = statistics.median(taken[1:])
        print(f"{name:26}{median:8.1f}{median / bare:8.1f}{taken[0]:10.1f}{sizes[name] / 1000:8.1f}")


def _calls() -> dict[str, Callable[[], Any]]:
    """By name, a call of a site with one admin and the defaults as the draft."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client, override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    memory = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    from django.conf import settings

    override_settings(
        STORAGES=settings.STORAGES | {"staticfiles": plain}, CACHES=memory, ALLOWED_HOSTS=["testserver"]
    ).enable()
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    from presets.config.configs import defaults

    config = defaults()
    return {
        "who I am": lambda: client.get("/api/me"),
        "schema": lambda: client.get("/api/config/schema"),
        "quick check of all fields": lambda: client.post(
            "/api/config/validate?preflight=false", config, content_type="application/json"
        ),
        "editor, general": lambda: client.get("/runs/new/"),
        "editor, training": lambda: client.get("/runs/new/?tab=training"),
    }


if __name__ == "__main__":
    main()
