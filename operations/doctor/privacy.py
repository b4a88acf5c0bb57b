"""Text that must not be in a report: keys, tokens, passwords, and the name of the home folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from system.account import secrets
from system.account.models import Secret

HIDDEN = "***"
SHORTEST = 4  # a shorter value would match harmless words
SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|(^|_)KEY$|_PASS$", re.I
)
PATTERNS = (
    (re.compile(r"(?<=://)[^/\s@'\"]*@"), f"{HIDDEN}@"),  # user and password in an address
    (re.compile(r"\b(hf|ghp|gho|github_pat|sk|xox[bp]|otw|wst)[_-][A-Za-z0-9_-]{6,}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"), HIDDEN),  # a JSON Web Token
    (
        re.compile(r"(?i)\b(token|bearer|password|passwd|pwd|secret|api[_-]?key)(['\"]?\s*[=:]\s*|\s+)(?=\S*\d)\S{6,}"),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?<![0-9a-f-])[0-9a-f]{40}(?![0-9a-f-])"), HIDDEN),  # the form of an older API token
    (re.compile(r"/(home|Users)/[^/\s:'\",]+"), "~"),
)


class Cleaner:
    """Removes secrets from a text: this site's own secrets by value, others by their form."""

    def __init__(self) -> None:
        self._values = sorted({value for value in _known() if len(value) >= SHORTEST}, key=len, reverse=True)
        self._home = str(Path.home())

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, HIDDEN)
        if self._home != "/":
            text = re.sub(rf"{re.escape(self._home)}(?=[/\s:'\",.)]|$)", "~", text)
        for pattern, instead in PATTERNS:
            text = pattern.sub(instead, text)
        return text


def _known() -> Iterator[str]:
    yield settings.SECRET_KEY
    for url in (settings.REDIS_URL, *os.environ.values()):
        yield from _passwords(url)
    yield str(connection.settings_dict.get("PASSWORD") or "")
    yield from (value for name, value in os.environ.items() if SECRET_NAME.search(name))
    try:
        yield from _hub_tokens()
    except DatabaseError:
        return  # a secret that cannot be read cannot be in the report


def _passwords(url: str) -> Iterator[str]:
    """Both encoded as in an address, and decoded."""
    try:
        password = urlsplit(url).password if "://" in url else None
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _hub_tokens() -> Iterator[str]:
    for secret in Secret.objects.select_related("user"):
        try:
            yield from secrets.get_secrets(secret.user).values()
        except secrets.Unreadable:
            continue  # nor can anybody else read it
