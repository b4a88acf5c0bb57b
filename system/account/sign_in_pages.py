"""Signing in: by password, by a link, and to the admin."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.account.views import LoginView
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from system.account import links
from system.account.sign_in_limits import remember_place
from web.error_pages import forbidden
from web.pages import PageRequest

sign_in = LoginView.as_view()


@method_decorator(login_not_required, name="dispatch")
class AdminSignInView(LoginView):
    """The site's sign-in for the admin's addresses, too, so that it asks for the second factor."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            return forbidden(request, Exception(_("Only admins may do this: ask an admin.")))
        return super().dispatch(request, *args, **kwargs)

    def get_default_success_url(self) -> str:
        return "/admin/"


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_variables("token")
def sign_in_link(request: PageRequest, uidb64: str, token: str) -> HttpResponse:
    """A page with a button, which signs in: programs that only look at the link do not use it up."""
    user = links.owner_of(uidb64, token)
    if user is not None and request.method == "POST":
        return _sign_in(request, user)
    if user is not None:
        return render(request, "system/account/link.html", {"owner": user})
    if request.user.is_authenticated:
        return redirect("dashboard")
    if request.method == "POST":
        return _used_link(request, status=400)
    return _used_link(request)


def _used_link(request: PageRequest, status: int = 200) -> HttpResponse:
    return render(request, "system/account/link_used.html", status=status)


def _sign_in(request: PageRequest, user: User) -> HttpResponse:
    """Sign in, with the second factor if the person has one."""
    if not user.has_usable_password():
        messages.info(
            request, _("Set a password on the account page, so that you can sign in again without a new link.")
        )
    record_authentication(request, user, method="link")
    return perform_login(request, Login(user=user))


class LinkForm(forms.Form):
    """Where to send a sign-in link."""

    email = forms.EmailField(label=gettext_lazy("Mail address"), max_length=254)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def request_link(request: PageRequest) -> HttpResponse:
    """Mail a sign-in link; the answer is the same whether anybody has that address."""
    form = LinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        links.send_links(form.cleaned_data["email"], request.build_absolute_uri("/").rstrip("/"))
        return render(request, "system/account/link_sent.html", {"form": form})
    return render(request, "system/account/link_request.html", {"form": form}, status=400 if form.errors else 200)


@receiver(user_logged_in)
def _remember_place(sender: object, request: HttpRequest | None, user: User, **kwargs: object) -> None:
    """Attempts from elsewhere will not lock this person out here."""
    if request is not None:
        remember_place(request, user)
