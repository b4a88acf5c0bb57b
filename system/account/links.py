"""Sign-in links: signed, for one person, valid for SIGN_IN_LINK_MINUTES and until the person signs in."""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import base36_to_int, urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)


class LinkTokens(PasswordResetTokenGenerator):
    """Signing in changes the time of the last sign-in, from which the token is computed: so a link works once."""

    key_salt = "system.account.links"

    def check_token(self, user: User | None, token: str | None) -> bool:
        is_right = super().check_token(user, token)
        return is_right and self._age(token or "") <= 60 * settings.SIGN_IN_LINK_MINUTES

    def _age(self, token: str) -> int:
        """Seconds since the token was made, which its first part says."""
        return self._num_seconds(self._now()) - base36_to_int(token.partition("-")[0])


link_tokens = LinkTokens()


def path_for(user: User) -> str:
    """The path of a new link."""
    return reverse("sign-in-link", args=[urlsafe_base64_encode(force_bytes(user.pk)), link_tokens.make_token(user)])


def owner_of(uidb64: str, token: str) -> User | None:
    """The active user of a valid link."""
    try:
        user = User.objects.get(pk=urlsafe_base64_decode(uidb64).decode(), is_active=True)
    except (ValueError, OverflowError, User.DoesNotExist):
        return None
    return user if link_tokens.check_token(user, token) else None


def send_links(address: str, site: str) -> None:
    """Mail a link to each active person with this address, if there is one; the caller cannot see whether there is.

    The mail is sent by a thread, so that the time of the answer does not show it either. `site` is the site's address.
    """
    for user in _people_with(address):
        context = {"user": user, "link": f"{site}{path_for(user)}", "minutes": settings.SIGN_IN_LINK_MINUTES}
        text = render_to_string("system/account/link_mail.txt", context)
        message = EmailMessage(_("Your sign-in link for OneTrainer Web UI"), text, to=[user.email])
        threading.Thread(target=_send, args=(message,), daemon=True).start()


def _people_with(address: str) -> QuerySet[User]:
    return User.objects.filter(email__iexact=address, is_active=True).exclude(email="")[:3]


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except OSError as error:  # the errors of smtplib are OSErrors
        logger.error("A sign-in link could not be mailed: check EMAIL_URL. %s", error)
