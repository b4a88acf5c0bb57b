"""Signing in and out, the password, and the API token."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from system.account import secrets
from web.pages import PageRequest, errors_as_messages, page

BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@require_safe
@never_cache
def sign_in_link(request: PageRequest, uidb64: str, token: str) -> HttpResponse:
    """Sign in by a link that works once: signing in changes the data that the link's token is computed from."""
    user = _user_of(uidb64)
    if user is not None and user.is_active and default_token_generator.check_token(user, token):
        login(request, user, BACKEND)
        if not user.has_usable_password():
            messages.info(
                request, _("Set a password on the account page, so that you can sign in again without a new link.")
            )
        return redirect("dashboard")
    if request.user.is_authenticated:
        return redirect("dashboard")
    messages.error(
        request, _("This link was used already or has expired: sign in with your password, or ask for a new link.")
    )
    return redirect("sign-in")


def _user_of(uidb64: str) -> User | None:
    try:
        return User.objects.get(pk=urlsafe_base64_decode(uidb64).decode())
    except (ValueError, OverflowError, User.DoesNotExist):
        return None


@page("GET", "POST")
@never_cache
def account(request: PageRequest) -> HttpResponse:
    """The signed-in user, the password, and the tokens for hubs."""
    form = _password_form(request)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, _("The password was changed."))
        return redirect("account")
    context = {
        "form": form,
        "secrets": [(name, secrets.TITLES[name], at) for name, at in secrets.set_since(request.user).items()],
        "groups": request.user.groups.values_list("name", flat=True),
    }
    return render(request, "system/account/account.html", context, status=400 if form.errors else 200)


def _password_form(request: PageRequest) -> SetPasswordForm:
    """The form without the old password, for a user who signed in by a link and has no password yet."""
    kind = PasswordChangeForm if request.user.has_usable_password() else SetPasswordForm
    return kind(request.user, request.POST or None)


@page("POST")
def change_secret(request: PageRequest) -> HttpResponse:
    """Set one of the user's tokens for hubs, or remove it; its value is never shown."""
    name = request.POST.get("name", "")
    title = secrets.TITLES.get(name, "token")
    if "remove" in request.POST:
        secrets.remove_secret(request.user, name)
        messages.success(request, _("The %(title)s was removed.") % {"title": title})
        return redirect("account")
    with errors_as_messages(request):
        secrets.set_secret(request.user, name, request.POST.get("value", "").strip())
        messages.success(request, _("The %(title)s was saved: your next runs train with it.") % {"title": title})
    return redirect("account")
