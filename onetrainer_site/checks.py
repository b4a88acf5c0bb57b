"""System checks: a setting that cannot work stops the start with a sentence that says how to fix it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from web.site_address import SiteAddress

SHORTEST_KEY = 32


@register()
def check_paths(**kwargs: object) -> list[CheckMessage]:
    """The folders in the settings exist."""
    found: list[CheckMessage] = []
    for root in settings.ALLOWED_ROOTS:
        if not root.is_dir():
            sentence = f"ALLOWED_ROOTS names {root}, which is not a folder: create it, or remove it from the list."
            found.append(Error(sentence, id="site.E001"))
    if not (settings.DEMO_DIR / "config.json").is_file():
        sentence = f"DEMO_DIR is {settings.DEMO_DIR}, which has no config.json: correct or unset it."
        found.append(Error(sentence, id="site.E002"))
    return found


@register()
def check_data_folder(**kwargs: object) -> list[CheckMessage]:
    """The user of the site's process can write to the data folder."""
    if os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"DATA_DIR is {settings.DATA_DIR}, which this user cannot write to: choose another folder.", id="site.E003"
        )
    ]


@register()
def check_onetrainer(**kwargs: object) -> list[CheckMessage]:
    """If OneTrainer is set, it exists with its Python."""
    home, python = settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON
    if home and not (home / "modules").is_dir():
        return [
            Error(f"ONETRAINER_HOME is {home}, which does not contain OneTrainer: correct or unset it.", id="site.E004")
        ]
    if python and not _can_run(python):
        sentence = f"ONETRAINER_PYTHON is {python}, which cannot be run: set the Python of OneTrainer's own venv."
        return [Error(sentence, id="site.E005")]
    return []


def _can_run(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


@register()
def check_values(**kwargs: object) -> list[CheckMessage]:
    """Values of the right type that cannot be used."""
    found: list[CheckMessage] = []
    if settings.STOP_GRACE_SECONDS < 1:
        sentence = f"STOP_GRACE_SECONDS is {settings.STOP_GRACE_SECONDS}: set at least 1 second."
        found.append(Error(sentence, id="site.E006"))
    if settings.SIGN_IN_TRIES < 1:
        sentence = f"SIGN_IN_TRIES is {settings.SIGN_IN_TRIES}: set at least 1, or nobody can sign in with a password."
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
def check_proxies(**kwargs: object) -> list[CheckMessage]:
    """Behind a proxy that is not known, every request looks unencrypted, and is sent to HTTPS again and again."""
    site: SiteAddress | None = settings.SITE
    if site is not None and site.is_secure and not settings.TRUSTED_PROXIES and not os.environ.get("HTTPS"):
        sentence = (
            f"SITE_URL is {site.origin}, but no proxy is known: list it in TRUSTED_PROXIES, or give the site a "
            "certificate (serve --certificate --key, or --self-signed). Otherwise browsers are redirected for ever."
        )
        return [Warning(sentence, id="site.W002")]
    return []


@register()
def check_open_door(**kwargs: object) -> list[CheckMessage]:
    """DEBUG shows settings and code to every user when a page fails."""
    if settings.DEBUG and set(settings.ALLOWED_HOSTS) - {"localhost", "127.0.0.1", "[::1]"}:
        return [Warning("DEBUG is on for more than this machine: unset DEBUG.", id="site.W001")]
    return []
