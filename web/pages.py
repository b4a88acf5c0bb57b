"""What the pages of all apps share: whole pages or their live part, paging, and who may act."""

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

from web.errors import DomainError, Forbidden
from web.permissions import may_train

View = Callable[..., HttpResponseBase]
Row = TypeVar("Row")


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


def trainers(user: User) -> None:
    """Raise Forbidden unless the user may train."""
    if not may_train(user):
        raise Forbidden


def admins(user: User) -> None:
    """Raise Forbidden unless the user is an admin."""
    if not user.is_staff:
        raise Forbidden(_("Only admins may do this: ask one of them."))


def page(*methods: Literal["GET", "POST"], only: Callable[[User], None] | None = None) -> Callable[[View], View]:
    """Mark a view as a page that answers these methods, HEAD along with GET, to every signed-in user or `only` some.

    `LoginRequiredMiddleware` sends everybody else to the sign-in page first.
    """
    allowed = [*methods, "HEAD"] if "GET" in methods else methods

    def decorate(view: View) -> View:
        @require_http_methods(allowed)
        @functools.wraps(view)
        def answer(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
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
    """The page that the address asks for; a number that is out of range or no number gives the nearest."""
    return Paginator(rows, size).get_page(request.GET.get("page"))
