"""The address under which people open the site, and the origins whose pages may use it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$")
LOCAL = re.compile(r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$")


@dataclass(frozen=True)
class SiteAddress:
    """A scheme, a host (an IPv6 address in brackets) and a port other than the scheme's own, or 0."""

    scheme: str
    host: str
    port: int = 0

    @property
    def netloc(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def is_public_name(self) -> bool:
        """Whether a browser may remember for a year to use HTTPS: it would do so for every port of the host."""
        name = self.host.strip("[]")
        return "." in name and not name.endswith((".localhost", ".local")) and not _is_ip(name)


def parse_site(text: str) -> SiteAddress:
    """An address such as https://box.example.org; raises ValueError with a sentence."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port or 0
        host = _host(parts.hostname or "")
    except (ValueError, UnicodeError):
        parts, port, host = urlsplit(""), 0, ""
    if parts.scheme not in PORTS or not host or parts.username is not None:
        raise ValueError("write the whole address that people open, such as https://box.example.org.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("leave out everything after the host and the port: the site has no path in front of its own.")
    return SiteAddress(parts.scheme, host, 0 if port == PORTS[parts.scheme] else port)


def _host(name: str) -> str:
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name).compressed}]"
    plain = name.encode("idna").decode().lower() if not name.isascii() else name.lower()
    return plain if HOST.match(plain) else ""


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def standing_of(origin: str | None, host: str) -> Literal["own", "guest", "refused"]:
    """What a page of this origin may do with a WebSocket: everything, only with a token, or nothing.

    Own are the site's pages, at the host that was called, and those in SITE_URL and CSRF_TRUSTED_ORIGINS. Guests are in
    CORS_ALLOWED_ORIGINS, or pages of this machine where CORS_LOCALHOST is on. Scripts send no origin.
    """
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS or _is_own(origin, host):
        return "own"
    is_local = settings.CORS_LOCALHOST and LOCAL.match(origin)
    return "guest" if origin in settings.CORS_ALLOWED_ORIGINS or is_local else "refused"


def _is_own(origin: str, host: str) -> bool:
    """Whether a page of the called host and port has this origin; of HTTPS sites only an encrypted page."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False  # such as http://[::1
    schemes = ("https",) if settings.HTTPS else tuple(PORTS)
    if parts.scheme not in schemes or parts.path or not parts.netloc:
        return False
    default = str(PORTS[parts.scheme])
    domain, port = split_domain_port(parts.netloc)
    called, called_port = split_domain_port(host)
    same = bool(domain) and (domain, port or default) == (called, called_port or default)
    return same and validate_host(domain, settings.ALLOWED_HOSTS)
