"""Limits on wrong passwords and codes: per name and address, per name, per address, and over all.

The attempts are counted in the database, so that every web process knows them, and before the password is checked, so
that simultaneous attempts are limited like successive ones; a right one takes its count back. Where a person has signed
in before, only the attempts for that name from that address count: nobody can lock people out there from elsewhere.
"""

from __future__ import annotations

import hashlib
import ipaddress
import unicodedata
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import F
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import ngettext

from system.models import KnownPlace, WrongPasswords
from web.errors import DomainError
from web.proxies import client_address

WINDOW = timedelta(minutes=15)
REMEMBERED = timedelta(days=180)  # how long an address is known after a sign-in
IPV6_NETWORK = 64  # bits; the owner of one IPv6 address owns all that begin with these bits
PER_NAME, PER_ADDRESS, OVER_ALL = 5, 10, 100  # times SIGN_IN_TRIES
WRONG_TOKENS = 30  # times SIGN_IN_TRIES, from one address


class TooManyTries(DomainError):
    """There were too many wrong passwords or codes: try again later, or ask an admin for a new password."""

    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(_sentence(seconds))
        self.retry_after = seconds


class Attempt:
    """One attempt to sign in, which counts as wrong until it turns out to be right.

    `kind` keeps the counts of passwords, codes and links apart: knowing a password must not reset the count of codes.
    """

    def __init__(self, request: HttpRequest, name: str, kind: str = "") -> None:
        network = network_of(request)
        name = unicodedata.normalize("NFKC", name).strip()
        tries: int = settings.SIGN_IN_TRIES
        self._place = _hash(f"{kind}{name}", network)
        self._limits: Mapping[str, int] = {self._place: tries}
        if not KnownPlace.objects.filter(key=_hash(name, network), seen_at__gt=now() - REMEMBERED).exists():
            shared = {_hash("name", f"{kind}{name}"): PER_NAME, _hash("address", network): PER_ADDRESS, "all": OVER_ALL}
            self._limits = {**self._limits, **{key: times * tries for key, times in shared.items()}}

    def begin(self) -> None:
        """Count it. Raises TooManyTries if one of the limits is reached."""
        WrongPasswords.objects.filter(since__lt=now() - WINDOW).delete()
        for key, limit in self._limits.items():
            if seconds := _seconds_to_wait(key, limit):
                raise TooManyTries(seconds)

    def was_right(self) -> None:
        """Take the counts back, and start anew for this name from this address."""
        WrongPasswords.objects.filter(key=self._place).delete()
        others = [key for key in self._limits if key != self._place]
        WrongPasswords.objects.filter(key__in=others, count__gt=0).update(count=F("count") - 1)
        WrongPasswords.objects.filter(key__in=others, count=0).delete()


def remember_place(request: HttpRequest, user: User) -> None:
    """The person has signed in from this address."""
    key = _hash(user.get_username(), network_of(request))
    KnownPlace.objects.filter(seen_at__lt=now() - REMEMBERED).delete()
    KnownPlace.objects.update_or_create(key=key, defaults={"seen_at": now()})


def count_wrong_token(request: HttpRequest) -> None:
    """Raises TooManyTries after many wrong tokens from one address; a right token goes on working from there."""
    key = _hash("token", network_of(request))
    WrongPasswords.objects.filter(key=key, since__lt=now() - WINDOW).delete()
    if seconds := _seconds_to_wait(key, WRONG_TOKENS * settings.SIGN_IN_TRIES):
        raise TooManyTries(seconds)


def network_of(request: HttpRequest) -> str:
    """The client's IPv4 address or IPv6 network; empty for a Unix socket."""
    address = client_address(request)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False)) if parsed.version == 6 else address


def _hash(name: str, rest: str) -> str:
    return hashlib.sha256(f"{name}\0{rest}".encode(errors="replace")).hexdigest()


def _seconds_to_wait(key: str, limit: int) -> int:
    """Count this attempt; returns the wait, 0 if it is allowed. The database also limits simultaneous attempts."""
    tries, _ = WrongPasswords.objects.get_or_create(key=key)
    mine = WrongPasswords.objects.filter(key=key, count__lt=limit)
    if mine.update(count=F("count") + 1):
        return 0
    return max(1, round((tries.since + WINDOW - now()).total_seconds()))


def _sentence(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "There were too many wrong attempts: try again in %(minutes)s minute, or ask an admin for a new password.",
        "There were too many wrong attempts: try again in %(minutes)s minutes, or ask an admin for a new password.",
        minutes,
    ) % {"minutes": minutes}
