"""Refused hosts and forms: a page, or JSON under /api/, that names the setting to change."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE, REASON_NO_REFERER
from django.template.loader import get_template
from django.utils.translation import gettext as _

from web.api.exceptions import SENTENCES
from web.errors import in_one_line

LONGEST = 100


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400; for a Host header that is not the site's, with the settings that would allow it."""
    if not isinstance(exception, DisallowedHost):
        return _answer(request, _("Bad request"), [SENTENCES[400]], 400)
    called = _short(request.META.get("HTTP_HOST", ""))
    sentences = [
        _("The site does not answer under the name “%(host)s”.") % {"host": called},
        _("If it is yours, set SITE_URL to the address that people open, such as https://%(host)s, or list the name in "
          "ALLOWED_HOSTS, and start the site again.") % {"host": called or "box.example.org"},
    ]  # fmt: skip
    return _answer(request, _("Unknown name"), sentences, 400)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """403 for a form that may come from a page of another site, or whose cookie is missing."""
    return _answer(request, _("The form was refused"), [*_why(request, reason)], 403)


def _why(request: HttpRequest, reason: str) -> list[str]:
    """Django's reason in our words, and the cure."""
    if reason in (REASON_NO_CSRF_COOKIE, REASON_NO_REFERER):
        return [
            _("Your browser sent no cookie or no referrer with this form."),
            _("Allow cookies for this site, load the page again, and send the form again."),
            _("If the site is behind a proxy with HTTPS, set SITE_URL to the https:// address and list the proxy in "
              "TRUSTED_PROXIES."),
        ]  # fmt: skip
    if origin := request.headers.get("Origin"):
        return [
            _("The form was sent from %(origin)s, which is not an address of this site.") % {"origin": _short(origin)},
            _("If it is, set SITE_URL to it, or list it in CSRF_TRUSTED_ORIGINS, and start the site again. Behind a "
              "proxy, list the proxy in TRUSTED_PROXIES too."),
        ]  # fmt: skip
    return [
        _("The form is out of date, or it did not come from a page of this site."),
        _("Load the page again, and send the form again. If that does not help, set SITE_URL to the address in your "
          "browser's address bar."),
    ]  # fmt: skip


def _answer(request: HttpRequest, title: str, sentences: list[str], status: int) -> HttpResponseBase:
    """Without the site's frame, which needs a valid host and a known person."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": " ".join(sentences)}, status=status)
    if request.headers.get("HX-Request"):
        return HttpResponse(" ".join(sentences), status=status, content_type="text/plain; charset=utf-8")
    context: dict[str, Any] = {"title": title, "sentences": sentences}
    return HttpResponse(get_template("refused.html").render(context), status=status)


def _short(text: str) -> str:
    return in_one_line(text)[:LONGEST]
