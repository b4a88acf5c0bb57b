"""What the pages of all apps share: whole pages or their live part, paging, and who may act."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from web.errors import Forbidden
from web.permissions import may_train

View = Callable[..., Any]


class PageRequest(HttpRequest):
    """What a page of ours gets: from somebody who is signed in, and perhaps from htmx."""

    user: User
    htmx: HtmxDetails


def render_page(
    request: PageRequest, page: str, part: str, context: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """The whole page, or for htmx only the part of it that changes; the page includes that same part."""
    response = render(request, part if request.htmx else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def trainers_only(view: View) -> View:
    """Let only those act who may train; everybody who is signed in may still look at other pages."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_train(request.user):
            raise PermissionDenied(Forbidden.__doc__)
        return view(request, *args, **kwargs)

    return checked


def admins_only(view: View) -> View:
    """What tells of the whole machine, and changes it, is for those who look after it."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_staff:
            raise PermissionDenied(_("Only admins may do this: ask one of them."))
        return view(request, *args, **kwargs)

    return checked


def page_of(request: HttpRequest, rows: QuerySet, size: int) -> Page:
    """The page that the address asks for; a number that is out of range or no number gives the nearest."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
