"""JSON Web Tokens for clients that need them: a short access token, and one to refresh it, which works once.

Each pair belongs to a row of `ApiToken`, which holds the hash of the refresh token that is valid now. So a pair is
listed and revoked like every token, and a revoked one is refused at once. If a refresh token is used twice, it was
stolen: then the row is deleted, and both holders are signed out. The library is imported only when a client uses these
tokens.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.timezone import now

from system.account import tokens
from system.models import ApiToken
from web.errors import DomainError

NAME = "JWT client"
TOKEN_CLAIM, PASSWORD_CLAIM = "token", "password"


class WrongRefreshToken(DomainError):
    """This refresh token was used already, was revoked or has expired: sign in again."""

    status = 401


def looks_like_one(key: str) -> bool:
    return key.count(".") == 2


def new_pair(user: User, scope: str) -> dict[str, Any]:
    """An access token and a refresh token, in a new row."""
    tokens.tokens_of(user).filter(is_for_jwt=True, expires_at__lt=now()).delete()
    name = tokens.free_name(user, NAME)
    token = tokens.new_token(user, tokens.Wish(name, scope))[0]
    token.is_for_jwt = True
    return _issue(token, user)


def refreshed(text: str) -> dict[str, Any]:
    """A new pair for a refresh token, which is used up. Raises WrongRefreshToken."""
    from rest_framework_simplejwt.tokens import RefreshToken

    claims = _claims(RefreshToken, text)
    token = _row(claims)
    if token is None:
        raise WrongRefreshToken
    if token.digest != tokens.digest_of(text):
        token.delete()
        raise WrongRefreshToken
    return _issue(token, token.user)


def revoke(text: str) -> None:
    """Delete the row of a refresh token, and so its access tokens too; an unknown one changes nothing."""
    from rest_framework_simplejwt.tokens import RefreshToken

    token = _row(_claims(RefreshToken, text))
    if token is not None:
        token.delete()


def find(text: str) -> tuple[ApiToken, float] | None:
    """The row of a valid access token, with its user, and when the access token expires, as a Unix time."""
    from rest_framework_simplejwt.tokens import AccessToken

    claims = _claims(AccessToken, text)
    token = _row(claims)
    return (token, claims["exp"]) if token is not None else None


def _issue(token: ApiToken, user: User) -> dict[str, Any]:
    """Write a pair for the row; of two simultaneous refreshes one fails."""
    from rest_framework_simplejwt.tokens import RefreshToken

    refresh = RefreshToken()
    refresh[TOKEN_CLAIM], refresh[PASSWORD_CLAIM] = token.pk, user.get_session_auth_hash()[:16]
    old, text = token.digest, str(refresh)
    facts = {"digest": tokens.digest_of(text), "is_for_jwt": True, "start": "", "last_used_at": now()}
    lifetimes: dict[str, timedelta] = settings.SIMPLE_JWT  # type: ignore[assignment]
    facts["expires_at"] = now() + lifetimes["REFRESH_TOKEN_LIFETIME"]
    if not ApiToken.objects.filter(pk=token.pk, digest=old).update(**facts):
        raise WrongRefreshToken
    return {
        "access": str(refresh.access_token),
        "refresh": text,
        "scope": token.scope,
        "expires_in": round(lifetimes["ACCESS_TOKEN_LIFETIME"].total_seconds()),
    }


def _claims(kind: Any, text: str) -> Any:
    """The verified claims, or an empty dictionary."""
    from rest_framework_simplejwt.exceptions import TokenError

    try:
        return kind(text)
    except (TokenError, ValueError):
        return {}


def _row(claims: Any) -> ApiToken | None:
    """The valid row of a token, unless the password has changed since it was made."""
    pk = claims.get(TOKEN_CLAIM)
    if not isinstance(pk, int):
        return None
    token = ApiToken.objects.valid().filter(pk=pk, is_for_jwt=True).select_related("user").first()
    if token is None or claims.get(PASSWORD_CLAIM) != token.user.get_session_auth_hash()[:16]:
        return None
    return token
