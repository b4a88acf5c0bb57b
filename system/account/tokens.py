"""A user's API token: there is one at a time, and a new token revokes the previous one."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authtoken.models import Token


def token_of(user: User) -> Token | None:
    return Token.objects.filter(user=user).first()


@transaction.atomic
def new_token(user: User) -> str:
    """Create a new key. Of two simultaneous requests the second waits, so that its key is valid."""
    owner = User.objects.select_for_update().get(pk=user.pk)
    revoke_token(owner)
    return Token.objects.create(user=owner).key


def existing_or_new_token(user: User) -> str:
    """The user's key, or a new one."""
    token = token_of(user)
    return token.key if token else new_token(user)


def revoke_token(user: User) -> None:
    """Revoke the token: clients that use it are refused from now on."""
    Token.objects.filter(user=user).delete()
