"""Whether a person has a second factor, such as a code of an app or a passkey."""

from __future__ import annotations

from django.contrib.auth.models import User


def has_second_factor(user: User) -> bool:
    """True if the password alone does not sign the user in."""
    from allauth.mfa.utils import is_mfa_enabled

    return bool(is_mfa_enabled(user))
