"""Error pages: a sentence that says what to do, and for htmx only the sentence as a message."""

from __future__ import annotations

import sys

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.templatetags.static import static

from web.api.exceptions import RETRY_SECONDS, why_away
from web.database import AWAY, has_no_room
from web.errors import DomainError, NotReady

NOT_FOUND = "There is nothing at this address: it may have been deleted, or the address may be wrong."
FORBIDDEN = "You may not do this: ask an admin."
TITLES = {
    400: "Bad request",
    403: "Not allowed",
    404: "Not found",
    409: "Not now",
    429: "Too many attempts",
    503: "Not ready",
}


@login_not_required
def favicon(request: HttpRequest) -> HttpResponse:
    """The icon that browsers request for pages without an icon, such as the admin's."""
    return redirect(static("img/icon.svg"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with the view's own sentence if it gave one."""
    message = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    is_sentence = message.endswith(".") and "matches the given query" not in message
    return _answer(request, "Not found", message if is_sentence else NOT_FOUND, 404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the view's own sentence if it gave one."""
    return _answer(request, "Not allowed", str(exception) or FORBIDDEN, 403)


def failed(request: HttpRequest) -> HttpResponse:
    """500, or 503 if the database is away: a page without database queries, and for htmx a sentence."""
    error = sys.exc_info()[1]
    if not isinstance(error, AWAY):
        return HttpResponse(get_template("500.html").render(), status=500)
    if request.headers.get("HX-Request"):
        answer = HttpResponse(why_away(error), status=503, content_type="text/plain")
    else:
        context = {"seconds": RETRY_SECONDS, "is_full": has_no_room(error)}
        answer = HttpResponse(get_template("503.html").render(context), status=503)
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def domain_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A page with the error's own status and sentence; a person gets no failure for a short wait."""
    if not isinstance(error, NotReady):
        answer = _answer(request, TITLES.get(error.status, "Refused"), str(error), error.status)
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer
    answer = _answer(request, TITLES[error.status], str(error), 202)
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    if request.method == "GET":
        answer.headers["Refresh"] = str(RETRY_SECONDS)  # the browser loads it again
    return answer


def too_many(request: HttpRequest, sentence: str, seconds: int) -> HttpResponse:
    """429, with the time to wait."""
    answer = _answer(request, "Too many attempts", sentence, 429)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _answer(request: HttpRequest, title: str, sentence: str, status: int) -> HttpResponse:
    if getattr(request, "htmx", None):  # set by a middleware of django_htmx
        messages.error(request, sentence)
        return render(request, "_messages.html", status=status)
    return render(request, "_error.html", {"title": title, "sentence": sentence}, status=status)
