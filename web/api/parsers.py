"""The API's parser: JSON that is small enough, and that every database can store."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from web.strict_json import parse


class TooLarge(exceptions.APIException):
    status_code = 413


class StrictJSONParser(BaseParser):
    """JSON, up to DATA_UPLOAD_MAX_MEMORY_SIZE bytes, that every database can store.

    In UTF-8, or in UTF-16 or UTF-32, which the first bytes show.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(_("The request is larger than %(limit)s kB: send less at once.") % {"limit": limit // 1000})
        try:
            data = parse(content)
        except ValueError as error:
            raise exceptions.ParseError(
                _("The body is not valid JSON (%(error)s): send one JSON object.") % {"error": error}
            ) from error
        if data is None:
            raise exceptions.ParseError(_("The body is null: send one JSON object."))
        return data
