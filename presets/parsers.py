"""What the API reads: JSON that is small enough, and that every database can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from presets.exchange import parse


class TooLarge(exceptions.APIException):
    status_code = 413


class StrictJSONParser(BaseParser):
    """JSON in UTF-8, up to DATA_UPLOAD_MAX_MEMORY_SIZE bytes, without NaN, NUL characters and half surrogates."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(f"The request is larger than {limit // 1000} kB: send less at once.")
        try:
            data = parse(content.decode())
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not JSON ({error}): send one JSON object.") from error
        if data is None:
            raise exceptions.ParseError("The body is null: send one JSON object.")
        if not all(map(_can_be_stored, _texts(data))):
            raise exceptions.ParseError("The body holds NUL characters or half surrogates: take them out.")
        return data


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


def _can_be_stored(text: str) -> bool:
    return text.isascii() and "\x00" not in text or not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)
