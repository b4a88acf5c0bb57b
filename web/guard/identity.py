"""Whether a request comes from somebody whom the site knows: asked before a large body is read."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from web.database import AWAY
from web.errors import DomainError

Scope = MutableMapping[str, Any]


def is_known(scope: Scope) -> bool:
    """True for a valid session, or a token that the API accepts.

    Also while the database is away: the view then says so, which it could not if its request were refused here.
    """
    request = ASGIRequest(scope, io.BytesIO())
    try:
        return _has_session(request) or _has_token(request)
    except AWAY:
        return True


def _has_session(request: ASGIRequest) -> bool:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return False
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return bool(get_user(request).is_authenticated)


def _has_token(request: ASGIRequest) -> bool:
    if not request.headers.get("Authorization"):
        return False
    for kind in api_settings.DEFAULT_AUTHENTICATION_CLASSES:
        if issubclass(kind, SessionAuthentication):
            continue
        try:
            if kind().authenticate(Request(request)):
                return True
        except (APIException, DomainError):
            continue  # a wrong or ended token, or too many of them: another kind of token may still fit
    return False
