"""The settings of mail and of sign-in by other sites, read from the environment."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from web.environment import Environment, masked

MAIL_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
OIDC = "oidc"  # the name of the provider in addresses


def read_mail(env: Environment) -> dict[str, Any]:
    """Django's settings for sending mail by EMAIL_URL; without it, no mail is sent and nothing offers it."""
    url = env.str("EMAIL_URL", "")
    parts = urlsplit(url)
    if url and (parts.scheme not in MAIL_PORTS or not parts.hostname):
        raise ImproperlyConfigured(
            f"EMAIL_URL is {masked(url)!r}, which is no mail server: use smtp://user:password@host:587, smtps:// for "
            "TLS from the start, or smtp+plain:// without encryption."
        )
    return {
        "EMAIL_BACKEND": f"django.core.mail.backends.{'smtp' if url else 'dummy'}.EmailBackend",
        "EMAIL_HOST": parts.hostname or "",
        "EMAIL_PORT": parts.port or MAIL_PORTS.get(parts.scheme, 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "DEFAULT_FROM_EMAIL": env.str("EMAIL_FROM", "") or unquote(parts.username or "") or "onetrainer@localhost",
    }


def read_providers(env: Environment) -> dict[str, Any]:
    """allauth's settings of the providers that OIDC_* and OAUTH_* name, by the provider's id."""
    found = _oidc(env)
    for name in env.list("OAUTH_PROVIDERS", []):
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise ImproperlyConfigured(f"OAUTH_PROVIDERS names {name!r}: use names such as github, gitlab or google.")
        found[name] = {"APP": _client(env, f"OAUTH_{name.upper()}")}
    return found


def _oidc(env: Environment) -> dict[str, Any]:
    issuer = env.str("OIDC_ISSUER", "")
    if not issuer:
        return {}
    if urlsplit(issuer).scheme not in ("http", "https"):
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {issuer!r}: use the issuer's address, such as https://id.example.org."
        )
    names = {"provider_id": OIDC, "name": env.str("OIDC_NAME", "") or urlsplit(issuer).hostname}
    facts = {"server_url": issuer, "oauth_pkce_enabled": True, "fetch_userinfo": True}
    return {"openid_connect": {"APPS": [{**names, **_client(env, "OIDC"), "settings": facts}]}}


def _client(env: Environment, prefix: str) -> dict[str, str]:
    client, secret = env.str(f"{prefix}_CLIENT_ID", ""), env.str(f"{prefix}_CLIENT_SECRET", "")
    if not client:
        raise ImproperlyConfigured(f"{prefix}_CLIENT_ID is missing: set the id that the provider gave to this site.")
    return {"client_id": client, "secret": secret}


def read_groups(env: Environment) -> dict[str, str]:
    """Groups of the provider, and what each means here: `admin`, or the name of a group such as `trainers`."""
    pairs = [part.rpartition("=") for part in env.list("OIDC_GROUPS", [])]
    if not all(theirs and ours for theirs, _, ours in pairs):
        raise ImproperlyConfigured("OIDC_GROUPS must be written as theirs=ours, such as gpu-team=trainers,ops=admin.")
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}


def apps_of(providers: dict[str, Any]) -> list[str]:
    """The Django apps of the providers; nothing of a provider is imported that is not set."""
    return [f"allauth.socialaccount.providers.{name}" for name in providers]


def of_allauth(has_mail: bool) -> dict[str, Any]:
    """The settings of django-allauth that do not come from the environment."""
    return {
        "ACCOUNT_ADAPTER": "system.account.adapters.AccountAdapter",
        "ACCOUNT_EMAIL_NOTIFICATIONS": has_mail,
        "ACCOUNT_EMAIL_SUBJECT_PREFIX": "",
        "ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS": False,
        "ACCOUNT_EMAIL_VERIFICATION": "optional" if has_mail else "none",
        "ACCOUNT_FORMS": {"login": "system.account.forms.SignInForm"},
        "ACCOUNT_RATE_LIMITS": False,  # system.account.sign_in_limits counts in the database, and knows more
        "ACCOUNT_REAUTHENTICATION_METHODS": ["password", "mfa"],
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "email*" if has_mail else "email", "password1*", "password2*"],
        "ACCOUNT_SESSION_REMEMBER": True,
        "MFA_ADAPTER": "system.account.adapters.MfaAdapter",
        "MFA_PASSKEY_LOGIN_ENABLED": True,
        "MFA_RATE_LIMITS": False,
        "MFA_RECOVERY_CODES_SHOW_ONCE": True,
        "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
        "MFA_TOTP_TOLERANCE": 1,  # the code before and after, for clocks that differ
        "MFA_ALLOW_UNVERIFIED_EMAIL": True,  # accounts that an admin makes have no verified mail
        "SOCIALACCOUNT_ADAPTER": "system.account.adapters.SocialAdapter",
        "SOCIALACCOUNT_EMAIL_VERIFICATION": "none",
        "SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX": "",
        "SOCIALACCOUNT_STORE_TOKENS": False,
        "SOCIALACCOUNT_LOGIN_ON_GET": True,  # a form that leads to another site would break the content security policy
    }
