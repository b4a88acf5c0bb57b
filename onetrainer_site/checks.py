"""System checks: a setting that cannot work stops the start with a sentence that says how to mend it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

SHORTEST_KEY = 32


@register()
def check_paths(**kwargs: Any) -> list[CheckMessage]:
    """The folders that settings name are there."""
    found: list[CheckMessage] = []
    for root in settings.ALLOWED_ROOTS:
        if root != Path.home() and not root.is_dir():  # a service's user may have no home; that is no mistake
            sentence = f"ALLOWED_ROOTS names {root}, which is no folder: make it, or leave it out."
            found.append(Error(sentence, id="site.E001"))
    if not (settings.DEMO_DIR / "config.json").is_file():
        sentence = f"DEMO_DIR is {settings.DEMO_DIR}, which holds no config.json: correct or unset it."
        found.append(Error(sentence, id="site.E002"))
    return found


@register()
def check_data_folder(**kwargs: Any) -> list[CheckMessage]:
    """Files and folders can be made in the data folder by whoever runs the site now."""
    if os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return []
    return [Error(f"DATA_DIR is {settings.DATA_DIR}, where this user may not write: choose another.", id="site.E003")]


@register()
def check_onetrainer(**kwargs: Any) -> list[CheckMessage]:
    """Where OneTrainer is named, it is there with its Python."""
    home, python = settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON
    if home and not (home / "modules").is_dir():
        return [Error(f"ONETRAINER_HOME is {home}, which holds no OneTrainer: correct or unset it.", id="site.E004")]
    if python and not _can_run(python):
        sentence = f"ONETRAINER_PYTHON is {python}, which cannot be run: name the Python of OneTrainer's own venv."
        return [Error(sentence, id="site.E005")]
    return []


def _can_run(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


@register()
def check_values(**kwargs: Any) -> list[CheckMessage]:
    """Values that are of the right type, but of no use."""
    found: list[CheckMessage] = []
    if settings.STOP_GRACE_SECONDS < 1:
        sentence = f"STOP_GRACE_SECONDS is {settings.STOP_GRACE_SECONDS}: give a stop at least 1 second."
        found.append(Error(sentence, id="site.E006"))
    if settings.SIGN_IN_TRIES < 1:
        sentence = f"SIGN_IN_TRIES is {settings.SIGN_IN_TRIES}: allow at least 1, or nobody signs in by a password."
        found.append(Error(sentence, id="site.E009"))
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        sentence = f"SECRET_KEY has under {SHORTEST_KEY} characters: use a longer random one, or unset it."
        found.append(Error(sentence, id="site.E007"))
    for host in settings.ALLOWED_HOSTS:
        if re.search(r"/|\s|:\d*$", host):
            sentence = f"ALLOWED_HOSTS names {host!r}: use names without scheme and port, and IPv6 as [::1]."
            found.append(Error(sentence, id="site.E008"))
    return found


@register()
def check_open_door(**kwargs: Any) -> list[CheckMessage]:
    """DEBUG shows settings and code to whoever makes a page fail."""
    if settings.DEBUG and set(settings.ALLOWED_HOSTS) - {"localhost", "127.0.0.1", "[::1]"}:
        return [Warning("DEBUG is on for more than this machine: unset DEBUG.", id="site.W001")]
    return []
