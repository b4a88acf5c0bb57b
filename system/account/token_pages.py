"""The page of the user's API tokens."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from system.account import tokens
from system.models import ApiToken
from web.errors import DomainError
from web.pages import PageRequest, errors_as_messages, page
from web.permissions import TRAIN


class NewTokenForm(forms.Form):
    """The properties of a new token."""

    name = forms.CharField(max_length=60, label=gettext_lazy("Name"))
    scope = forms.ChoiceField(choices=ApiToken.Scope.choices, initial=TRAIN, label=gettext_lazy("Scope"))
    days = forms.IntegerField(
        min_value=1, max_value=tokens.LONGEST_DAYS, required=False, label=gettext_lazy("Days until it expires")
    )


@page("GET", "POST")
@never_cache
def tokens_page(request: PageRequest) -> HttpResponse:
    """The user's tokens, and a form for a new token, whose text is only in the answer to that form."""
    form = NewTokenForm(request.POST or None, initial={"days": 90})
    new = _new_token(request, form) if request.method == "POST" else ""
    status = 400 if form.errors else 200
    context = {
        "form": form if form.errors else NewTokenForm(initial={"days": 90}),
        "new": new,
        "tokens": tokens.tokens_of(request.user),
    }
    return render(request, "system/account/tokens.html", context, status=status)


def _new_token(request: PageRequest, form: NewTokenForm) -> str:
    """Create the token and return its text; an error is added to the form."""
    if not form.is_valid():
        return ""
    try:
        return tokens.new_token(request.user, tokens.Wish(**form.cleaned_data))[1]
    except DomainError as error:
        form.add_error("name", str(error))
        return ""


@page("POST")
def revoke_token(request: PageRequest, pk: int) -> HttpResponse:
    """Revoke one of the user's tokens."""
    with errors_as_messages(request):
        name = tokens.revoke_token(request.user, pk)
        messages.success(request, _("The token “%(name)s” was revoked.") % {"name": name})
    return redirect("tokens")
