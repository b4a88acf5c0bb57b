"""The form for signing in."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):
    """allauth's form; it takes `username` too, as this site's form and the admin's were before."""

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        if isinstance(data, QueryDict) and "login" not in data and "username" in data:
            data = data.copy()
            data["login"] = data["username"]
        super().__init__(data, *args, **kwargs)
        self.fields["login"].label = _("User name")
        self.fields["login"].widget.attrs = {"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        self.fields["password"].help_text = ""
