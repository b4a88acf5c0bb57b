"""The API's sign-in by a token in the header, and the limits of a token's scope."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from engine.interface.json_types import JsonObject
from system.account.credentials import Credential, credential_of, key_in, sign_in
from system.account.sign_in_limits import count_wrong_token
from system.models import ApiToken
from web.errors import Forbidden
from web.permissions import READ


class TokenAuthentication(BaseAuthentication):
    """A personal token or an access token of a JWT pair, in `Authorization: Token ...` or `Bearer ...`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token's owner with the rights of its scope. A wrong token does not fall back to the session."""
        key = key_in(request.headers.get("Authorization", ""))
        if key is None:
            return None
        found = sign_in(key)
        if found is None:
            count_wrong_token(request._request)
            raise AuthenticationFailed(_("This token is wrong, was revoked or has expired."))
        user, token, credential = found
        _check_scope(request, token)
        token.credential = credential  # type: ignore[attr-defined]
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def credential_of_request(request: Request) -> Credential:
    """The credential that the request came with."""
    if isinstance(request.auth, ApiToken):
        credential: Credential = request.auth.credential  # type: ignore[attr-defined]
        return credential
    return credential_of(request.user, None, request.session.session_key or "")


def _check_scope(request: Request, token: ApiToken) -> None:
    """A token for reading changes nothing, whatever its owner may. Some views name methods that change nothing."""
    view = (request.parser_context or {}).get("view")
    if token.scope == READ and request.method not in (*SAFE_METHODS, *getattr(view, "methods_for_reading", ())):
        raise Forbidden(_("This token may only read: use one with the scope “train”."))


class TokenScheme(OpenApiAuthenticationExtension):
    """The OpenAPI document's description of this authentication."""

    target_class = TokenAuthentication
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: object) -> JsonObject:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "A personal token, or the access token of a JWT pair: `Token <key>` or `Bearer <key>`.",
        }
