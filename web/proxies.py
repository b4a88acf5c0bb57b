"""The client's address, scheme and host behind reverse proxies: believed only from the networks in TRUSTED_PROXIES.

A proxy adds the address that it was called from at the right end of X-Forwarded-For, so the list is read from the right
and the first address that is no trusted proxy is the client. The headers of every other sender are removed before any
code can read them. `believe_proxies` does this for pages and API, `scope_behind_proxies` for WebSockets; both work
alike under uvicorn and daphne, whose own handling of these headers is off.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

FOR, PROTO, HOST = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"
# Sent by some proxies and read by some programs; nothing here reads them, so no sender is believed.
UNREAD = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_SSL", "HTTP_X_REAL_IP")
SCHEMES = ("http", "https")
MOST_PROXIES = 50  # entries of X-Forwarded-For that are read
WITH_PORT = re.compile(r"^(?:\[([^\]]+)\]|([^:\[\]]+))(?::\d{1,5})?$")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Meta = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]


def client_address(source: HttpRequest | Scope) -> str:
    """The address of the client, of a request or of a WebSocket's scope; empty if it has none (a Unix socket)."""
    meta = source.META if isinstance(source, HttpRequest) else _meta_of(source)
    return _client(meta)


def parsed_address(text: str) -> Address | None:
    """An IPv4 or IPv6 address, also with a port or in brackets; None for anything else.

    An IPv4 address in IPv6 form is returned as IPv4, so that each client has one address.
    """
    text = text.strip().strip('"')
    found = WITH_PORT.match(text)
    for candidate in (text, (found[1] or found[2]) if found else ""):
        try:
            address = ipaddress.ip_address(candidate.partition("%")[0])  # a zone has a meaning only on that machine
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address
    return None


def is_trusted(address: str) -> bool:
    """Whether the address is in one of the networks of TRUSTED_PROXIES."""
    parsed = parsed_address(address)
    networks: Iterable[Network] = settings.TRUSTED_PROXIES
    return parsed is not None and any(parsed in network for network in networks)


@sync_and_async_middleware
def believe_proxies(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Give every later part of the site the client's own address, scheme and host, and no header that it may forge."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> Any:
            _settle(request.META)
            return await get_response(request)

        return answer

    def answer_at_once(request: HttpRequest) -> Any:
        _settle(request.META)
        return get_response(request)

    return answer_at_once


def scope_behind_proxies(application: Callable[..., Any]) -> Callable[..., Any]:
    """The same for the WebSockets of an ASGI application."""

    async def settled(scope: Scope, receive: Any, send: Any) -> Any:
        return await application(_settled_scope(scope), receive, send)

    return settled


def _client(meta: Mapping[str, Any]) -> str:
    """The rightmost address that is no trusted proxy. What is left of an unreadable entry proves nothing."""
    peer = str(meta.get("REMOTE_ADDR") or "")
    parsed = parsed_address(peer)
    client = str(parsed) if parsed else peer
    entries = str(meta.get(FOR, "")).split(",")[-MOST_PROXIES:]
    while is_trusted(client) and entries:
        claimed = parsed_address(entries.pop())
        if claimed is None:
            break
        client = str(claimed)
    return client


def _settle(meta: Meta) -> None:
    """Write what the headers prove into REMOTE_ADDR, the scheme's header and HTTP_HOST, and remove the rest."""
    client, trusted = _client(meta), is_trusted(str(meta.get("REMOTE_ADDR") or ""))
    scheme, host = _last(meta.pop(PROTO, "")).lower(), _last(meta.pop(HOST, ""))
    for name in (FOR, *UNREAD):
        meta.pop(name, None)
    meta["REMOTE_ADDR"] = meta["REMOTE_HOST"] = client
    if trusted and scheme in SCHEMES:
        meta[PROTO] = scheme
    if trusted and host:
        meta["HTTP_HOST"] = host


def _last(value: object) -> str:
    """The entry of the nearest proxy; those on the left may come from anywhere."""
    return str(value).rpartition(",")[2].strip()


def _settled_scope(scope: Scope) -> Scope:
    meta = _meta_of(scope)
    _settle(meta)
    secure = {"https": "wss", "http": "ws"}.get(meta.get(PROTO, ""), scope.get("scheme", "ws"))
    kept = [(name, value) for name, value in scope["headers"] if _key(name) not in (FOR, PROTO, HOST, *UNREAD)]
    headers = [(name, value) for name, value in kept if name != b"host"]
    if "HTTP_HOST" in meta:
        headers.append((b"host", meta["HTTP_HOST"].encode("latin1")))
    client = (meta["REMOTE_ADDR"], (scope.get("client") or ("", 0))[1]) if meta["REMOTE_ADDR"] else None
    return {**scope, "client": client, "scheme": secure, "headers": headers}


def _meta_of(scope: Scope) -> Meta:
    """The parts of a scope that matter here, as in a request's META; repeated headers are joined as there."""
    meta: Meta = {"REMOTE_ADDR": (scope.get("client") or ("",))[0]}
    for name, value in scope.get("headers", ()):
        if b"_" in name:
            continue  # Django ignores them too: they could not be told from names with hyphens
        key, text = _key(name), value.decode("latin1")
        meta[key] = f"{meta[key]},{text}" if key in meta else text
    return meta


def _key(name: bytes) -> str:
    return f"HTTP_{name.decode('latin1').upper().replace('-', '_')}"
