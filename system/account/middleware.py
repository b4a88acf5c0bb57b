"""Middleware of signing in: limits on attempts, and pages that only exist where their setting is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from system.account.sign_in_limits import Attempt, TooManyTries
from web import error_pages
from web.errors import DomainError

SUCCESS = (201, 302)  # a form that is shown again has status 200, a refused call of the API 401
NEEDS_MAIL = {
    *("account_email", "account_confirm_email", "account_email_verification_sent", "request-link"),
    *("account_reset_password", "account_reset_password_done", "account_reset_password_from_key"),
    "account_reset_password_from_key_done",
}


def _name_in_form(request: HttpRequest) -> str:
    return str(request.POST.get("login") or request.POST.get("username") or request.POST.get("email") or "")


def _name_of_stage(request: HttpRequest) -> str:
    """The person whose password was right, and who now enters a code."""
    from allauth.account.internal.stagekit import unstash_login

    login = unstash_login(request, peek=True)
    return login.user.get_username() if login is not None and login.user else ""


def _name_of_user(request: HttpRequest) -> str:
    return request.user.get_username()


# The name of the address -> how to find the person's name, and what kind of secret is tried.
LIMITED: dict[str, tuple[Callable[[HttpRequest], str], str]] = {
    "sign-in": (_name_in_form, ""),
    "old-sign-in": (_name_in_form, ""),
    "admin-sign-in": (_name_in_form, ""),
    "account_login": (_name_in_form, ""),
    "account_signup": (lambda request: "", "sign-up "),
    "sign-in-link": (lambda request: "", "link "),
    "request-link": (_name_in_form, "mail "),
    "account_reset_password": (_name_in_form, "mail "),
    "account_reset_password_from_key": (lambda request: "", "link "),
    "account_reauthenticate": (_name_of_user, ""),
    "account_change_password": (_name_of_user, ""),
    "account": (_name_of_user, ""),
    "mfa_authenticate": (_name_of_stage, "code "),
    "mfa_reauthenticate": (_name_of_user, "code "),
    "mfa_reauthenticate_webauthn": (_name_of_user, "code "),
    "mfa_activate_totp": (_name_of_user, "code "),
    "mfa_login_webauthn": (lambda request: "", "passkey "),
}
ALWAYS_COUNTED = {"request-link", "account_reset_password"}  # their answer is the same for a wrong address


class CodesAway(DomainError):
    """Codes cannot be checked now, since Redis is away and codes work once: use a passkey, or try again in a moment."""

    status = 503
    retry_after = 5


class SignInLimits(MiddlewareMixin):
    """Counts attempts before their view runs, and answers 429 after too many; other requests cost nothing."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        name = request.resolver_match.url_name if request.resolver_match else None
        if name in NEEDS_MAIL and not settings.HAS_MAIL:
            raise Http404
        if request.method != "POST" or name not in LIMITED:
            return None
        name_of, kind = LIMITED[name]
        attempt = Attempt(request, name_of(request), kind)
        try:
            attempt.begin()
        except TooManyTries as error:
            return error_pages.domain_error(request, error)
        request.sign_in_attempt = None if name in ALWAYS_COUNTED else attempt  # type: ignore[attr-defined]
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer what allauth leaves open: people who cannot prove again who they are, and Redis that is away."""
        if isinstance(error, RedisError):
            return error_pages.domain_error(request, CodesAway())
        if not isinstance(error, ReauthenticationRequired) or not request.user.is_authenticated:
            return None
        if get_adapter().get_reauthentication_methods(request.user):
            return None  # allauth's middleware leads to the first of them
        messages.error(request, _("Set a password first, so that this page can make sure that it is you."))
        return redirect("account")

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        attempt: Attempt | None = getattr(request, "sign_in_attempt", None)
        if attempt is not None and response.status_code in SUCCESS:
            attempt.was_right()
        return response
