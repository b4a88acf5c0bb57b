"""A limit on wrong passwords: after several attempts for a name from one address, the next must wait.

The attempts are counted in the database, so that every web process knows them, and before the password is checked, so
that simultaneous attempts are limited like successive ones.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase
from django.utils.timezone import now
from django.utils.translation import ngettext

from system.models import WrongPasswords
from web.error_pages import too_many

WINDOW = timedelta(minutes=15)
SUCCESS = 302  # a form that is shown again has status 200
IPV6_NETWORK = 64  # bits; the owner of one IPv6 address owns all that begin with these bits

View = Callable[..., Any]


def limited(view: View) -> View:
    """A sign-in view that answers 429 after too many wrong passwords."""

    @functools.wraps(view)
    def sign_in(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        key = _key(request)
        if seconds := _seconds_to_wait(key):
            return too_many(request, _sentence(seconds), seconds)
        response = view(request, *args, **kwargs)
        if response.status_code == SUCCESS:
            WrongPasswords.objects.filter(key=key).delete()
        return response

    return sign_in


def _key(request: HttpRequest) -> str:
    """The name as the form reads it, and the address of the client."""
    name = unicodedata.normalize("NFKC", request.POST.get("username", "")).strip()
    return hashlib.sha256(f"{name}\0{_network(request.META.get('REMOTE_ADDR') or '')}".encode()).hexdigest()


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a Unix socket has no address
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False)) if parsed.version == 6 else address


def _seconds_to_wait(key: str) -> int:
    """Count this attempt; returns the wait, 0 if it is allowed. The database also limits simultaneous attempts."""
    WrongPasswords.objects.filter(since__lt=now() - WINDOW).delete()
    tries, _ = WrongPasswords.objects.get_or_create(key=key)
    mine = WrongPasswords.objects.filter(key=key, count__lt=settings.SIGN_IN_TRIES)
    if mine.update(count=F("count") + 1):
        return 0
    return max(1, round((tries.since + WINDOW - now()).total_seconds()))


def _sentence(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "There were too many wrong passwords for this name: try again in %(minutes)s minute, or ask an admin for "
        "a new password.",
        "There were too many wrong passwords for this name: try again in %(minutes)s minutes, or ask an admin for "
        "a new password.",
        minutes,
    ) % {"minutes": minutes}
