"""allauth's hooks: who may sign up, which groups a provider's groups mean, how secrets are stored, addresses."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from web.errors import DomainError
from web.proxies import client_address

ADMIN = "admin"
NOT_SAID = {"account/messages/logged_in.txt", "account/messages/logged_out.txt"}  # the page shows it
NOWHERE = "127.0.0.1"  # the address of a client at a Unix socket


class Unreadable(DomainError):
    """Your second factor cannot be read, since the site's SECRET_KEY changed: use a passkey, or ask an admin."""

    status = 409


class AccountAdapter(DefaultAccountAdapter):
    """Accounts and passwords."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The client behind trusted proxies."""
        return client_address(request) or NOWHERE

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *rest: Any, **facts: Any
    ) -> None:
        """A message, unless the page shows the same."""
        if message_template not in NOT_SAID:
            super().add_message(request, level, message_template, *rest, **facts)


class MfaAdapter(DefaultMFAAdapter):
    """Second factors: their secrets are stored encrypted."""

    def encrypt(self, text: str) -> str:
        return _boxes().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _boxes().decrypt(encrypted_text.encode()).decode()
        except InvalidToken as error:
            raise Unreadable from error

    def get_totp_issuer(self) -> str:
        return "OneTrainer Web UI"

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        return _("Passkey")


class SocialAdapter(DefaultSocialAccountAdapter):
    """Sign-in by OpenID Connect or OAuth."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return bool(settings.OIDC_SIGN_UP)

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Everything is known from the provider, so no form is needed."""
        return True

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Bring the groups of a known person up to date at each sign-in."""
        if sociallogin.is_existing:
            follow_groups(sociallogin.user, sociallogin.account.extra_data)

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        follow_groups(user, sociallogin.account.extra_data)
        return user


def follow_groups(user: User, facts: JsonObject) -> None:
    """Give and take the groups that OIDC_GROUPS names, and no others."""
    mapping: dict[str, str] = settings.OIDC_GROUPS
    theirs = _groups_in(facts)
    ours = {mapping[name] for name in theirs if name in mapping}
    for name in set(mapping.values()) - {ADMIN}:
        group, _made = Group.objects.get_or_create(name=name)
        (user.groups.add if name in ours else user.groups.remove)(group)
    if ADMIN in mapping.values() and user.is_staff != (ADMIN in ours):
        user.is_staff = user.is_superuser = ADMIN in ours
        user.save(update_fields=["is_staff", "is_superuser"])


def _groups_in(facts: JsonObject) -> set[str]:
    """The claim, which providers send in the userinfo, the ID token or both, as a list or one text."""
    found: set[str] = set()
    for part in (facts, facts.get("userinfo"), facts.get("id_token")):
        value = part.get(settings.OIDC_GROUPS_CLAIM) if isinstance(part, dict) else None
        found |= {value} if isinstance(value, str) else {name for name in value or () if isinstance(name, str)}
    return found


def _boxes() -> MultiFernet:
    """Encrypts with the site's key; decrypts with older ones too."""
    return MultiFernet([_box(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _box(secret_key: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"system.account.second_factor")
    return Fernet(base64.urlsafe_b64encode(key.derive(secret_key.encode())))
