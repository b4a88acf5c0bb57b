"""Errors as responses of the API: one sentence in `detail`, and `errors` by field."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.views import exception_handler, set_rollback

from engine.interface.json_types import JsonObject
from web.database import AWAY, has_no_room
from web.errors import BadInput, DomainError, NotReady

logger = logging.getLogger(__name__)
SENTENCES = {
    400: "The request is invalid: check its parameters.",
    401: "Sign in, or send your token in the header 'Authorization: Token <key>'.",
    403: "You may not do this: ask an admin.",
    404: "There is nothing here: check the address and the id in it.",
    413: "The request is too large: send less at once.",
    503: "The database does not answer now: try again in a few seconds. Trainings continue, and nothing is lost.",
    500: "The server failed unexpectedly: try again, and if it fails again, see the web server's log.",
}
NO_ROOM = "The database's disk is full: free some space on it. Trainings continue, and nothing is lost."
RETRY_SECONDS = 5
KEPT_HEADERS = ("WWW-Authenticate", "Retry-After")


def answer_error(error: Exception, context: JsonObject) -> JsonResponse:
    """Turn an exception of a view into a response; an unexpected one is logged and not shown to the client."""
    if isinstance(error, DomainError):
        set_rollback()
        wait = RETRY_SECONDS if isinstance(error, NotReady) else error.retry_after
        headers = {} if wait is None else {"Retry-After": str(wait)}
        return JsonResponse(_domain_body(error), status=error.status, headers=headers)
    if isinstance(error, AWAY):
        return _answer_away(error)
    if isinstance(error, RequestDataTooBig):
        return JsonResponse({"detail": SENTENCES[413]}, status=413)
    response = exception_handler(error, context)
    if response is None:
        return _answer_surprise(error, context)
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return JsonResponse(_body(error, response, context), status=response.status_code, headers=headers)


def _answer_away(error: Exception) -> JsonResponse:
    logger.warning("The database is away: %s", error)
    return JsonResponse({"detail": why_away(error)}, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


def why_away(error: BaseException | None) -> str:
    """The reason why the database accepts nothing now, as a sentence."""
    return NO_ROOM if has_no_room(error) else SENTENCES[503]


def _domain_body(error: DomainError) -> JsonObject:
    body: JsonObject = {"detail": str(error)}
    if isinstance(error, BadInput) and error.errors:
        body["errors"] = error.errors
    return body


def _answer_surprise(error: Exception, context: JsonObject) -> JsonResponse:
    request = context.get("request")
    logger.error("%s %s failed.", getattr(request, "method", "?"), getattr(request, "path", "?"), exc_info=error)
    set_rollback()
    return JsonResponse({"detail": SENTENCES[500]}, status=500)


def _body(error: Exception, response: Any, context: JsonObject) -> JsonObject:
    if isinstance(error, exceptions.ValidationError):
        return _validation_body(error.detail)
    return {"detail": _detail(error, response, context)}


def _detail(error: Exception, response: Any, context: JsonObject) -> str:
    said = _sentence(response.data.get("detail", ""))
    if isinstance(error, exceptions.NotAuthenticated):
        return SENTENCES[401]
    if isinstance(error, exceptions.AuthenticationFailed):
        return f"{said} {SENTENCES[401]}"
    if isinstance(error, exceptions.MethodNotAllowed):
        return _("%(said)s Use %(allowed_methods)s.") % {
            "said": said,
            "allowed_methods": " or ".join(context["view"].allowed_methods),
        }
    if isinstance(error, exceptions.UnsupportedMediaType):
        return _("%(said)s Send JSON, with 'Content-Type: application/json'.") % {"said": said}
    if isinstance(error, exceptions.Throttled):
        return _("Too many requests: wait %(headers)s seconds.") % {
            "headers": response.headers.get("Retry-After", "some")
        }
    if isinstance(error, (Http404, exceptions.NotFound)):
        return SENTENCES[404]
    if isinstance(error, PermissionDenied):
        return SENTENCES[403]
    return said


def _sentence(text: Any) -> str:
    return f"{str(text).rstrip('.')}."


def _validation_body(detail: Any) -> JsonObject:
    errors: dict[str, list[str]] = {}
    for field, message in _messages(detail):
        errors.setdefault(field, []).append(message)
    field, messages = next(iter(errors.items()))
    body: JsonObject = {"detail": f"{field}: {messages[0]}" if field else messages[0]}
    return body | ({"errors": errors} if field else {})


def _messages(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path of the field, message); a message about no field has an empty path."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _messages(value, path if key == "non_field_errors" else f"{path}.{key}".strip("."))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from _messages(value, f"{path}.{index}" if isinstance(value, dict) else path)
    else:
        yield path, str(detail)
