"""How often one person may ask for one thing: counted by view in the cache, for pages and API.

    @costly
    def film(request): ...      # COSTLY_PER_MINUTE instead of CHANGES_PER_MINUTE, and for reading too

While the cache is away nothing is counted: a site without it should still serve.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from web import error_pages
from web.database import AWAY
from web.limits.table import limit
from web.proxies import client_address

logger = logging.getLogger(__name__)
SECONDS = 60
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
MARK, OFTEN, UNCOUNTED = "is_costly", "is_called_often", "is_uncounted"
ACCEPTED_SECONDS = 600  # how long a token that was accepted counts as known
View = TypeVar("View", bound=Callable[..., Any])
T = TypeVar("T")


def costly(view: View) -> View:
    """Mark a view, or the action of a viewset, whose answer is costly to make."""
    setattr(view, MARK, True)
    return view


def often(view: View) -> View:
    """Mark a view that a person calls very often for a single purpose, such as for the pieces of an upload."""
    setattr(view, OFTEN, True)
    return view


def uncounted(view: View) -> View:
    """Mark a view that anybody may call as often as they like, such as `/healthz`."""
    setattr(view, UNCOUNTED, True)
    return view


class Rates(MiddlewareMixin):
    """Answers 429 beyond the limits of a person at a view, and of an address without a sign-in at all views."""

    def process_view(self, request: HttpRequest, view: Any, *arguments: Any) -> HttpResponse | None:
        if getattr(view, UNCOUNTED, False):
            return None
        person = _person(request, view)
        if not person and not _is_within(f"unknown {client_address(request)}", limit("UNKNOWN_PER_MINUTE")):
            return _too_many(request)
        most = _most(view, request.method or "")
        place = f"{view.__module__}.{getattr(view, '__qualname__', type(view).__name__)} {request.method}"
        if most and not _is_within(f"{person or client_address(request)} {place}", most):
            return _too_many(request)
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Remember a token that was accepted: requests with it are not counted as those of unknown senders."""
        token = _token(request)
        if token and response.status_code != 401 and request.path.startswith("/api/"):
            _try(lambda: cache.set(f"rate:accepted:{token}", 1, ACCEPTED_SECONDS))
        return response


def _person(request: HttpRequest, view: Any) -> str:
    """The known sender of this request; empty for an unknown sender.

    To read a page that is open to all, the user is not loaded: a session that somebody claims to have is enough.
    """
    if token := _token(request):
        return f"token {token}" if _try(lambda: cache.get(f"rate:accepted:{token}")) else ""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if session and request.method in SAFE and not (getattr(view, "login_required", True) or hasattr(view, "cls")):
        return "a session"
    try:
        return f"user {request.user.pk}" if session and request.user.is_authenticated else ""
    except AWAY:
        return "a session"  # the view says that the database is away


def _token(request: HttpRequest) -> str:
    """The hash of the token that the request came with, valid or not; empty for none."""
    given = request.headers.get("Authorization", "")
    return hashlib.sha256(given.encode()).hexdigest() if given else ""


def _most(view: Any, method: str) -> int:
    """How often it may happen in a minute; 0 for as often as the person likes."""
    if is_costly(view, method):
        return limit("COSTLY_PER_MINUTE")
    return 0 if method in SAFE or _is_marked(view, method, OFTEN) else limit("CHANGES_PER_MINUTE")


def is_costly(view: Any, method: str) -> bool:
    return _is_marked(view, method, MARK)


def _is_marked(view: Any, method: str, mark: str) -> bool:
    """Whether a function, the action of a viewset for this method, or a class is marked."""
    holder = getattr(view, "cls", None) or getattr(view, "view_class", None)
    action = (getattr(view, "actions", None) or {}).get(method.lower(), method.lower())
    return any(getattr(one, mark, False) for one in (getattr(holder, action, None), view, holder))


def _is_within(what: str, most: int) -> bool:
    """Count it in this minute."""
    key = f"rate:{hashlib.sha256(what.encode()).hexdigest()}:{int(time.time()) // SECONDS}"

    def count() -> int:
        cache.add(key, 0, 2 * SECONDS)
        return int(cache.incr(key))

    return (_try(count) or 0) <= most


def _try(ask: Callable[[], T]) -> T | None:
    """The cache's answer; None while it is away."""
    try:
        return ask()
    except (RedisError, OSError, ValueError) as error:  # ValueError: the number was dropped between two calls
        logger.warning("The cache is away, so requests are not counted: %s", error)
        return None


def _too_many(request: HttpRequest) -> HttpResponse:
    seconds = SECONDS - int(time.time()) % SECONDS
    sentence = _("Too many requests: wait %(seconds)s seconds.") % {"seconds": seconds}
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": sentence}, status=429, headers={"Retry-After": str(seconds)})
    return error_pages.too_many(request, sentence, seconds)
