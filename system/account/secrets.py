"""Tokens for hubs: each user's own, encrypted at rest, and passed only to the process that trains."""

from __future__ import annotations

import base64
import os
import re
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from system.account.models import Secret
from web.errors import BadInput, DomainError

# By OneTrainer's names.
TITLES = {"huggingface_token": gettext_lazy("Hugging Face token"), "civitai_token": gettext_lazy("Civitai token")}
HOST = "host:"  # before the name of a host that has a token of its own
HOST_NAME = re.compile(r"host:[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?")
VARIABLES = {"huggingface_token": "HF_TOKEN"}  # the variables from which a training process reads the tokens
LONGEST = 1_000
PURPOSE = b"presets.secrets"  # so that this key cannot be used for anything else


class Unreadable(DomainError):
    """A stored token cannot be read, since the site's SECRET_KEY changed: enter the token again on the account page."""


def set_secret(user: User, name: str, value: str) -> None:
    """Save a token, replacing the previous one; raises BadInput."""
    _check(name, value)
    Secret.objects.update_or_create(user=user, name=name, defaults={"ciphertext": _box().encrypt(value.encode())})


def remove_secret(user: User, name: str) -> None:
    """Delete a token, if it is set."""
    Secret.objects.filter(user=user, name=name).delete()


def get_secrets(user: User | None) -> dict[str, str]:
    """The user's decrypted tokens by name, only for a training process. Raises Unreadable."""
    rows = Secret.objects.filter(user=user).values_list("name", "ciphertext") if user is not None else ()
    return {name: _open(bytes(ciphertext)) for name, ciphertext in rows}


def set_since(user: User) -> dict[str, datetime | None]:
    """The time when each possible token was set; None if it is not set."""
    times = dict(Secret.objects.filter(user=user).values_list("name", "updated_at"))
    return {name: times.get(name) for name in TITLES}


def hosts_of(user: User) -> list[str]:
    """The other hosts for which the user keeps a token."""
    names = Secret.objects.filter(user=user, name__startswith=HOST).order_by("name").values_list("name", flat=True)
    return [name.removeprefix(HOST) for name in names]


def token_for(user: User | None, host: str) -> str:
    """The token that may be sent to this host, and to no other; empty if there is none. Raises Unreadable."""
    name = name_for(host)
    token = get_secrets(user).get(name, "")
    return token or (os.environ.get("HF_TOKEN", "") if name == "huggingface_token" else "")


def name_for(host: str) -> str:
    """The name under which the token of a host is kept."""
    own = {_host(settings.HF_ENDPOINT): "huggingface_token", _host(settings.CIVITAI_ENDPOINT): "civitai_token"}
    return own.get(host.lower(), f"{HOST}{host.lower()}")


def _host(endpoint: str) -> str:
    return urlsplit(endpoint).hostname or ""


def environment(user: User | None) -> dict[str, str]:
    """The environment variables for this user's process; none without a user. Raises Unreadable."""
    return {VARIABLES[name]: value for name, value in get_secrets(user).items() if name in VARIABLES}


def _check(name: str, value: str) -> None:
    if name not in TITLES and not HOST_NAME.fullmatch(name):
        sentence = _("There is no token of this name: choose one of %(titles)s.") % {"titles": ", ".join(TITLES)}
        raise BadInput(sentence, {name[:100]: [sentence]})
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    if not plain or not 0 < len(value) <= LONGEST:
        sentence = _("A token is a word of at most %(longest)s letters and digits: copy it again.") % {
            "longest": LONGEST
        }
        raise BadInput(f"{name}: {sentence}", {name: [sentence]})


def _open(ciphertext: bytes) -> str:
    try:
        return _box().decrypt(ciphertext).decode()
    except InvalidToken as error:
        raise Unreadable from error


def _box() -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
