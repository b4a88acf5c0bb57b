"""The user and origin of a WebSocket: a token in the header, a ticket in the address, or the session."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http.request import split_domain_port, validate_host

from engine.interface.json_types import JsonObject
from system.account import credentials, tickets
from system.account.credentials import Credential, credential_of
from web.site_address import standing_of

TICKET_PARAMETERS = ("ticket", "token")  # `token` for clients that cannot choose another name


def sign_in(application: Any) -> Any:
    """Put `user` and `credential` into the scope. A wrong token does not fall back to the session."""
    with_session = AuthMiddlewareStack(_with_credential_of_session(application))

    async def signed_in(scope: JsonObject, receive: Any, send: Any) -> Any:
        key = credentials.key_in(_header(scope, b"authorization") or "")
        ticket = _ticket(scope)
        if key is None and ticket is None:
            return await with_session(scope, receive, send)
        user, credential = await database_sync_to_async(_owner_of)(key, ticket or "")
        return await application({**scope, "user": user, "credential": credential}, receive, send)

    return signed_in


def _with_credential_of_session(application: Any) -> Any:
    async def with_credential(scope: JsonObject, receive: Any, send: Any) -> Any:
        user = scope["user"]
        credential = credential_of(user, None, scope["session"].session_key) if user.is_authenticated else None
        return await application({**scope, "credential": credential}, receive, send)

    return with_credential


def check_origin(application: Any) -> Any:
    """Refuse foreign Host headers and pages of foreign sites; a guest's page gets no cookies, so it needs a token."""

    async def checked(scope: JsonObject, receive: Any, send: Any) -> Any:
        host = _header(scope, b"host") or ""
        standing = standing_of(_header(scope, b"origin"), host) if _host_is_ours(host) else "refused"
        if standing == "refused":
            return await WebsocketDenier()(scope, receive, send)
        if standing == "guest":
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"cookie"]}
        return await application(scope, receive, send)

    return checked


def _header(scope: JsonObject, name: bytes) -> str | None:
    return next((value.decode("latin1") for key, value in scope["headers"] if key == name), None)


def _ticket(scope: JsonObject) -> str | None:
    """The ticket in the address; a token there is no ticket, and is refused as a wrong one."""
    given = parse_qs(scope["query_string"].decode("latin1"), keep_blank_values=True)
    return next((given[name][0] for name in TICKET_PARAMETERS if name in given), None)


def _owner_of(key: str | None, ticket: str) -> tuple[User | AnonymousUser, Credential | None]:
    """A token in the header counts before a ticket."""
    if key is None:
        return tickets.redeem(ticket) or (AnonymousUser(), None)
    found = credentials.sign_in(key)
    return (found[0], found[2]) if found else (AnonymousUser(), None)


def _host_is_ours(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
