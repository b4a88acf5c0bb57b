"""The account page: the password, and tokens for hubs."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from system.account import secrets
from web.pages import PageRequest, errors_as_messages, page


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
    title = secrets.TITLES.get(name, _("token"))
    if "remove" in request.POST:
        secrets.remove_secret(request.user, name)
        messages.success(request, _("The %(title)s was removed.") % {"title": title})
        return redirect("account")
    with errors_as_messages(request):
        secrets.set_secret(request.user, name, request.POST.get("value", "").strip())
        messages.success(request, _("The %(title)s was saved: your next downloads use it.") % {"title": title})
    return redirect("account")
