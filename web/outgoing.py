"""Requests to addresses that a user typed: to public addresses alone, checked at every redirect.

The name is resolved once, the addresses are checked, and the connection goes to the checked address: a name server that
answers differently the second time cannot lead into the site's own network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import urllib.request
from collections.abc import Iterable
from typing import Any

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from web.errors import BadInput, DomainError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
HOST = re.compile(rb"[A-Za-z0-9_.-]+|[0-9a-fA-F:.]+")  # a name or a number
PORTS = {"http": 80, "https": 443}
CONNECT_SECONDS, READ_SECONDS = 10.0, 20.0
LONGEST = 2000
SECRETS = {"token", "access_token", "api_key", "apikey", "key"}  # names in an address, which others can read


class Unreachable(DomainError):
    """The address cannot be reached: check the network, then try again."""

    status = 503


class RefusedAddress(BadInput):
    """This address is not allowed."""


def checked_address(text: str) -> httpx2.URL:
    """The address of a file, with http or https and a host. Raises BadInput."""
    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise _refused(_("This is not an address: type an address that begins with https://.")) from error
    if url.scheme not in PORTS or not HOST.fullmatch(url.raw_host):
        raise _refused(_("Only addresses that begin with https:// or http:// can be fetched."))
    if url.userinfo:
        raise _refused(_("An address must not contain a password: keep the token of the host instead."))
    if SECRETS & {name.lower() for name in url.params}:
        raise _refused(_("An address must not contain a token: keep it as the token of its host instead."))
    if len(text) > LONGEST:
        raise _refused(_("The address is longer than %(longest)s characters.") % {"longest": LONGEST})
    return url.copy_with(fragment=None)


def client(private_endpoints: Iterable[str] = (), **options: Any) -> httpx2.Client:
    """A client that follows redirects and refuses every private address but those of the endpoints and settings."""
    allowed = {endpoint_of(httpx2.URL(address)) for address in private_endpoints if address}
    timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx2.Client(transport=GuardedTransport(allowed), follow_redirects=True, timeout=timeout, **options)


class GuardedTransport(httpx2.BaseTransport):
    """Checks each request, also that of a redirect, and connects to the checked address."""

    def __init__(self, allowed: set[tuple[str, int]]) -> None:
        self._allowed = allowed
        self._direct = httpx2.HTTPTransport()
        self._proxies = {
            scheme: httpx2.HTTPTransport(proxy=address)
            for scheme, address in urllib.request.getproxies().items()
            if scheme in PORTS
        }

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme not in PORTS:
            raise _refused(_("The host redirects to an address that is not on the web."))
        proxy = None if urllib.request.proxy_bypass(url.host) else self._proxies.get(url.scheme)
        if proxy is not None:  # the proxy resolves names, so a name that this machine cannot resolve may pass
            self._check(url, _resolved(url, or_none=True))
            return proxy.handle_request(request)
        return self._connect(request, self._check(url, _resolved(url)))

    def _connect(self, request: httpx2.Request, addresses: list[Address]) -> httpx2.Response:
        """Use the first address that takes the connection: a machine may have no route for IPv6."""
        url = request.url
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        try:
            for number, address in enumerate(addresses, start=1):
                request.url = url.copy_with(host=str(address))
                try:
                    return self._direct.handle_request(request)
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if number == len(addresses):
                        raise
        finally:
            request.url = url  # the client compares it with that of a redirect
        raise Unreachable

    def _check(self, url: httpx2.URL, addresses: list[Address]) -> list[Address]:
        if endpoint_of(url) in self._allowed or is_allowed_by_settings(url):
            return addresses
        if private := next((address for address in addresses if not is_public(address)), None):
            sentence = _("%(host)s is in a private network (%(address)s): only FETCH_PRIVATE_HOSTS can allow it.")
            raise _refused(sentence % {"host": url.host, "address": private})
        return addresses

    def close(self) -> None:
        for transport in (self._direct, *self._proxies.values()):
            transport.close()


def endpoint_of(url: httpx2.URL) -> tuple[str, int]:
    """The host and port of an address."""
    return url.host, url.port or PORTS.get(url.scheme, 0)


def is_allowed_by_settings(url: httpx2.URL) -> bool:
    """True if the admin allows this private host, with this port or any."""
    host, port = endpoint_of(url)
    return host in settings.FETCH_PRIVATE_HOSTS or f"{host}:{port}" in settings.FETCH_PRIVATE_HOSTS


def is_public(address: Address) -> bool:
    """False for loopback, private and link-local networks and others of special use, also inside an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _resolved(url: httpx2.URL, or_none: bool = False) -> list[Address]:
    host, port = endpoint_of(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if or_none:
            return []
        raise Unreachable(_("%(host)s cannot be found: check the address and the network.") % {"host": host}) from error
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _refused(sentence: str) -> RefusedAddress:
    return RefusedAddress(sentence, {"address": [sentence]})
