"""A user's API token: there is one at a time, and a new one ends the one before."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authtoken.models import Token


def token_of(user: User) -> Token | None:
    return Token.objects.filter(user=user).first()


@transaction.atomic
def new_token(user: User) -> str:
    """A new key. Of two requests at once the second waits, so that its key is the one that counts."""
    owner = User.objects.select_for_update().get(pk=user.pk)
    revoke_token(owner)
    return Token.objects.create(user=owner).key


def existing_or_new_token(user: User) -> str:
    """The key that the user has, or a new one."""
    token = token_of(user)
    return token.key if token else new_token(user)


def revoke_token(user: User) -> None:
    """From now on clients with the token are refused."""
    Token.objects.filter(user=user).delete()
