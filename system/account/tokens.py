"""Personal API tokens: random texts with a known beginning, of which only hashes are stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from system.audit import record
from system.models import ApiToken
from web.errors import BadInput, Forbidden, NotFound
from web.permissions import SCOPES, scope_of

PREFIX = "otw_"  # so that people and scanners of secrets recognise a token
DEFAULT_NAME = "API token"
MOST_TOKENS = 50  # of one person
LONGEST_DAYS = 3650
LONGEST_NAME = 60
TOUCH = timedelta(minutes=1)  # how exact the time of the last use is


@dataclass(frozen=True)
class Wish:
    """The properties of a new token."""

    name: str = DEFAULT_NAME
    scope: str = ApiToken.Scope.ADMIN
    days: int | None = None  # until it expires; None for no end


def digest_of(key: str) -> str:
    """A token has 240 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens, the newest first, also the expired ones."""
    return ApiToken.objects.filter(user=user)


def find(key: str) -> ApiToken | None:
    """The valid token with this text, with its user."""
    found = ApiToken.objects.valid().filter(digest=digest_of(key), is_for_jwt=False)
    return found.select_related("user").first()


def touch(token: ApiToken) -> None:
    """Note the use, at most once a minute."""
    moment = now()
    if token.last_used_at is None or token.last_used_at < moment - TOUCH:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment - TOUCH)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=moment)


@transaction.atomic
def new_token(user: User, wish: Wish | None = None) -> tuple[ApiToken, str]:
    """Create a token; its text is returned only here. Raises BadInput, and Forbidden for more than the user's scope."""
    wish = wish or Wish()
    User.objects.select_for_update().get(pk=user.pk)  # of two simultaneous requests the second waits
    _check(user, wish)
    key = PREFIX + secrets.token_urlsafe(30)
    expires_at = None if wish.days is None else now() + timedelta(days=wish.days)
    token = ApiToken.objects.create(
        user_id=user.pk,
        name=wish.name,
        scope=wish.scope,
        digest=digest_of(key),
        start=key[: len(PREFIX) + 4],
        expires_at=expires_at,
    )
    record("token.created", actor=user, thing=token, after={"scope": token.scope, "expires_at": str(expires_at)})
    return token, key


@transaction.atomic
def replace_token(user: User) -> str:
    """Create the token of the default name; the previous token of that name is revoked."""
    _delete(tokens_of(user).filter(name=DEFAULT_NAME))
    return new_token(user, Wish(scope=scope_of(user)))[1]


def free_name(user: User, name: str) -> str:
    """The name, with a number if the user has a token of that name."""
    taken = set(tokens_of(user).values_list("name", flat=True))
    names = (name if number == 1 else f"{name} {number}" for number in range(1, MOST_TOKENS + 2))
    return next((free for free in names if free not in taken), name)


@transaction.atomic
def revoke_token(user: User, pk: int) -> str:
    """Delete one of the user's tokens, and return its name: programs that use it are refused from now on."""
    token = tokens_of(user).filter(pk=pk).first()
    if token is None:
        raise NotFound(_("You have no such token: it may have been revoked already."))
    _delete(tokens_of(user).filter(pk=pk))
    return token.name


@transaction.atomic
def revoke_default_token(user: User, used: ApiToken | None) -> None:
    """Delete the token of the default name, and the token of the request."""
    mine = Q(name=DEFAULT_NAME) | Q(pk=used.pk if used else None)
    _delete(tokens_of(user).filter(mine))


def _delete(chosen: QuerySet[ApiToken]) -> None:
    """Delete the tokens, each with an entry in the audit log."""
    for token in chosen:
        record("token.revoked", thing=token, before={"scope": token.scope})
        token.delete()


def _check(user: User, wish: Wish) -> None:
    _check_name(user, wish.name)
    if wish.scope not in SCOPES:
        raise BadInput(*_field("scope", _("Choose one of %(scopes)s.") % {"scopes": ", ".join(SCOPES)}))
    if SCOPES.index(wish.scope) > SCOPES.index(scope_of(user)):
        raise Forbidden(_("A token cannot make one with a larger scope than its own: sign in on the site for that."))
    if wish.days is not None and not 1 <= wish.days <= LONGEST_DAYS:
        raise BadInput(*_field("days", _("Set 1 to %(most)s days, or none for no end.") % {"most": LONGEST_DAYS}))


def _check_name(user: User, name: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise BadInput(*_field("name", _("Give a name of 1 to 60 printable characters.")))
    mine = tokens_of(user)
    if mine.filter(name=name).exists():
        raise BadInput(*_field("name", _("You have a token of this name: choose another, or revoke that token first.")))
    if mine.count() >= MOST_TOKENS:
        raise BadInput(_("You have %(most)s tokens already: revoke one first.") % {"most": MOST_TOKENS})


def _field(name: str, sentence: str) -> tuple[str, dict[str, list[str]]]:
    return sentence, {name: [sentence]}
