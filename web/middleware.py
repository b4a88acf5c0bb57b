"""Middleware of the site."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin

from web import error_pages
from web.api.exceptions import KEPT_HEADERS, SENTENCES
from web.errors import DomainError

View = Callable[..., HttpResponseBase]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@sync_and_async_middleware
def json_errors(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Return errors outside of views under /api/, such as a wrong Host header, in JSON too."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponseBase:
            return _in_json(request, await get_response(request))

        return answer
    return lambda request: _in_json(request, get_response(request))


def _in_json(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_page = response.status_code >= 400 and "html" in response.headers.get("Content-Type", "")
    if not (is_page and request.path.startswith("/api/")):
        return response
    sentence = SENTENCES.get(response.status_code, SENTENCES[400])
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return JsonResponse({"detail": sentence}, status=response.status_code, headers=headers)


class KnownMethods(MiddlewareMixin):
    """Refuses methods that the site has no use for, such as TRACE: Django's admin answers them like GET.

    The API's views name the methods of each address themselves.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        is_known = request.method in METHODS or request.path.startswith("/api/")
        return None if is_known else HttpResponseNotAllowed(METHODS)


class SignInRequired(LoginRequiredMiddleware):
    """Send anonymous users to the sign-in page, except for views that are marked `@login_not_required`.

    The API's views have that mark from Django REST framework: they authenticate by themselves, and respond with 401.
    """

    def process_view(self, request: HttpRequest, view_func: View, *view_args: Any) -> HttpResponseBase | None:
        """Open views do not load the user, so that `/healthz` responds while the database is away."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, *view_args)

    def get_login_url(self, view_func: View) -> str:
        """The admin has its own address; the pages of its models lack the mark that its other pages have."""
        return reverse("admin:login") if hasattr(view_func, "model_admin") else super().get_login_url(view_func)


class ErrorPages(MiddlewareMixin):
    """Shows a DomainError that a page does not handle as a page with the error's own status and sentence."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return error_pages.domain_error(request, exception) if isinstance(exception, DomainError) else None
