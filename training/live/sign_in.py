"""The user and origin of a WebSocket: a token in the header or the address, else the session."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http.request import split_domain_port, validate_host
from rest_framework.authtoken.models import Token

from engine.interface.json_types import JsonObject


def sign_in(application: Any) -> Any:
    """Put the user into the scope. A wrong token does not fall back to the session, so that the mistake is seen."""
    with_session = AuthMiddlewareStack(application)

    async def signed_in(scope: JsonObject, receive: Any, send: Any) -> Any:
        key = _token_key(scope)
        if key is None:
            return await with_session(scope, receive, send)
        user = await database_sync_to_async(_owner_of)(key)
        return await application({**scope, "user": user}, receive, send)

    return signed_in


def check_origin(application: Any) -> Any:
    """Refuse foreign Host headers and pages of foreign sites; scripts send no Origin and are allowed."""

    async def checked(scope: JsonObject, receive: Any, send: Any) -> Any:
        if _host_is_ours(_header(scope, b"host")) and _origin_is_allowed(_header(scope, b"origin")):
            return await application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)

    return checked


def _header(scope: JsonObject, name: bytes) -> str | None:
    return next((value.decode("latin1") for key, value in scope["headers"] if key == name), None)


def _token_key(scope: JsonObject) -> str | None:
    scheme, _, key = (_header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() in ("token", "bearer"):
        return key.strip()
    given: list[str] = parse_qs(scope["query_string"].decode("latin1")).get("token", [])
    return given[0] if given else None


def _owner_of(key: str) -> User | AnonymousUser:
    if "\x00" in key:
        return AnonymousUser()
    token = Token.objects.select_related("user").filter(key=key, user__is_active=True).first()
    return token.user if token else AnonymousUser()


def _host_is_ours(host: str | None) -> bool:
    domain, _ = split_domain_port(host or "")
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _origin_is_allowed(origin: str | None) -> bool:
    """Origins that CORS allows, and the site's own pages."""
    if origin is None:
        return True
    if origin in (*settings.CORS_ALLOWED_ORIGINS, *settings.CSRF_TRUSTED_ORIGINS):
        return True
    if any(re.match(pattern, origin) for pattern in settings.CORS_ALLOWED_ORIGIN_REGEXES):
        return True
    domain, _ = split_domain_port(urlsplit(origin).netloc)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
