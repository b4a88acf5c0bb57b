"""What a WebSocket or request signed in with, and whether that still holds: a session, a token, and always a person."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.timezone import now

from system.account import json_web_tokens, tokens
from system.models import ApiToken
from web.permissions import limit_to_scope


@dataclass(frozen=True)
class Credential:
    """A sign-in that can end. A personal token outlives a change of the password; a session and a JWT do not."""

    user_id: int
    session_key: str = ""
    token_id: int | None = None
    auth_hash: str = ""
    ends_at: float | None = None  # a Unix time


def key_in(header: str) -> str | None:
    """The token of an Authorization header, which says `Token` or `Bearer`; None for another scheme or no header."""
    scheme, _, key = header.strip().partition(" ")
    return key.strip() if scheme.lower() in ("token", "bearer") else None


def sign_in(key: str) -> tuple[User, ApiToken, Credential] | None:
    """The owner of a token, with the rights of its scope; None for an invalid token."""
    ends_at = None
    if json_web_tokens.looks_like_one(key):
        found = json_web_tokens.find(key)
        token, ends_at = found or (None, None)
    else:
        token = tokens.find(key)
    if token is None:
        return None
    tokens.touch(token)
    return limit_to_scope(token.user, token.scope), token, credential_of(token.user, token, "", ends_at)


def credential_of(user: User, token: ApiToken | None, session_key: str, ends_at: float | None = None) -> Credential:
    """The credential of a request that is signed in by a token or a session."""
    if token is None:
        return Credential(user.pk, session_key, None, user.get_session_auth_hash())
    return Credential(user.pk, "", token.pk, user.get_session_auth_hash() if token.is_for_jwt else "", ends_at)


def ended(credentials: Collection[Credential]) -> set[Credential]:
    """Those that hold no more, by three queries at most, however many there are."""
    active = User.objects.filter(pk__in={one.user_id for one in credentials}, is_active=True)
    people = {user.pk: user for user in active}
    keys = {one.session_key for one in credentials} - {""}
    sessions = Session.objects.filter(pk__in=keys, expire_date__gt=now()) if keys else Session.objects.none()
    token_ids = {one.token_id for one in credentials if one.token_id is not None}
    valid = ApiToken.objects.valid().filter(pk__in=token_ids) if token_ids else ApiToken.objects.none()
    alive_sessions, alive_tokens = set(sessions.values_list("pk", flat=True)), set(valid.values_list("pk", flat=True))
    return {one for one in credentials if not _holds(one, people, alive_sessions, alive_tokens)}


def _holds(one: Credential, people: dict[int, User], sessions: set[str], token_ids: set[int]) -> bool:
    user = people.get(one.user_id)
    if user is None or (one.ends_at is not None and one.ends_at <= time.time()):
        return False
    if one.auth_hash and one.auth_hash != user.get_session_auth_hash():
        return False
    return (one.token_id is None or one.token_id in token_ids) and (not one.session_key or one.session_key in sessions)


def note_seen(credentials: Collection[Credential]) -> None:
    """Write into the list of sessions that their pages are open now."""
    from allauth.usersessions.models import UserSession

    keys = {one.session_key for one in credentials} - {""}
    UserSession.objects.filter(session_key__in=keys).update(last_seen_at=now())
