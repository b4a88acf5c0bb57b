"""Shared parts of all apps' pages: whole pages or their live part, paging, and permissions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from engine.interface.json_types import JsonObject
from web.errors import DomainError, Forbidden
from web.permissions import may_train

View = Callable[..., HttpResponseBase]
Context = dict[str, Any]  # what a template reads, by name
Row = TypeVar("Row")


class PageRequest(HttpRequest):
    """The request of a page: from a signed-in user, and perhaps from htmx."""

    user: User
    htmx: HtmxDetails


def render_page(
    request: PageRequest, page: str, part: str, context: JsonObject | None = None, status: int = 200
) -> HttpResponse:
    """The whole page, or for htmx only the part that changes; the page includes the same part."""
    response = render(request, part if request.htmx else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def trainers(user: User) -> None:
    """Raise Forbidden unless the user may train."""
    if not may_train(user):
        raise Forbidden


def admins(user: User) -> None:
    """Raise Forbidden unless the user is an admin."""
    if not user.is_staff:
        raise Forbidden(_("Only admins may do this: ask an admin."))


def page(*methods: Literal["GET", "POST"], only: Callable[[User], None] | None = None) -> Callable[[View], View]:
    """Mark a view as a page with these methods (HEAD with GET), for every signed-in user or `only` for some.

    `LoginRequiredMiddleware` sends anonymous users to the sign-in page first.
    """
    allowed = [*methods, "HEAD"] if "GET" in methods else methods

    def decorate(view: View) -> View:
        @require_http_methods(allowed)
        @functools.wraps(view)
        def answer(request: PageRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if only is not None:
                only(request.user)
            return view(request, *args, **kwargs)

        return answer

    return decorate


@contextmanager
def errors_as_messages(request: HttpRequest) -> Iterator[None]:
    """Tell a DomainError of the block as a message, which the page that the view leads to shows."""
    try:
        yield
    except DomainError as error:
        messages.error(request, str(error))


def page_of(request: HttpRequest, rows: QuerySet[Any, Row], size: int) -> Page[Row]:
    """The page of the address; an invalid number gives the first page, a number out of range the nearest."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
