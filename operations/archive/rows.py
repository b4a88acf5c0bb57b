"""Rows in a form that fits every database: one JSON line each, streamed out and in."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import Model

CHUNK = 5_000
UNCHANGED = {"system.auditentry"}  # a rewritten path would not fit the entry's hash
SECRET = {
    *("presets.secret", "authtoken.token", "sessions.session", "system.apitoken", "system.socketticket"),
    *("mfa.authenticator", "usersessions.usersession", "socialaccount.socialtoken", "socialaccount.socialapp"),
}

Converter = Callable[[Any], Any]


def models_to_keep(with_secrets: bool) -> list[type[Model]]:
    """Every table, also those of many-to-many fields; without secrets, no tables of tokens and sessions."""
    tables = [model for model in apps.get_models(include_auto_created=True) if _has_a_table(model)]
    return [model for model in tables if with_secrets or model._meta.label_lower not in SECRET]


def _has_a_table(model: type[Model]) -> bool:
    """A proxy would repeat another model's rows, and export secrets that should be left out."""
    return model._meta.managed and not model._meta.proxy


def dump(model: type[Model]) -> Iterator[bytes]:
    """The column names, then each row."""
    names = [field.attname for field in model._meta.concrete_fields]
    yield _line(names)
    for row in model._base_manager.order_by("pk").values_list(*names).iterator(chunk_size=CHUNK):
        yield _line(row)


def _line(values: Any) -> bytes:
    return json.dumps(values, default=_plain, separators=(",", ":")).encode() + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()  # all microseconds, which Django's own encoder cuts off
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    raise TypeError(f"{type(value).__name__} cannot be written to an archive.")


def load(model: type[Model], lines: Iterable[bytes], rewrite: Converter) -> Iterator[int]:
    """Insert the rows unchanged, with their keys and times; yield how many so far.

    Plain INSERTs, since saving would stamp `auto_now` fields anew. Raises KeyError for an unknown column.
    """
    lines = iter(lines)
    known = {field.attname: field for field in model._meta.concrete_fields}
    fields = [known[name] for name in json.loads(next(lines))]
    if model._meta.label_lower in UNCHANGED:
        rewrite = path_rewriter({})
    readers = [_reader(field, rewrite) for field in fields]
    statement, count = _insert(model, fields), 0
    while batch := list(islice(lines, CHUNK)):
        values = [_prepared(json.loads(line), fields, readers) for line in batch]
        with connection.cursor() as cursor:
            cursor.executemany(statement, values)
        count += len(values)
        yield count


def _prepared(row: list[Any], fields: list[Any], readers: list[Converter]) -> list[Any]:
    if len(row) != len(fields):
        raise ValueError("A row has too few or too many values.")
    return [
        field.get_db_prep_save(None if value is None else read(value), connection)
        for field, read, value in zip(fields, readers, row, strict=True)
    ]


def _insert(model: type[Model], fields: list[Any]) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608  # nosec B608 # our own names


def _reader(field: Any, rewrite: Converter) -> Converter:
    """Convert JSON to the field's type; paths in texts and JSON values are rewritten."""
    while field.remote_field is not None:
        field = field.target_field
    if isinstance(field, (models.CharField, models.TextField, models.JSONField)):
        return rewrite
    if isinstance(field, models.DateTimeField):
        return datetime.fromisoformat
    if isinstance(field, models.UUIDField):
        return uuid.UUID
    if isinstance(field, models.BinaryField):
        return base64.b64decode
    return lambda value: value


def path_rewriter(moved: dict[str, str]) -> Converter:
    """Replaces old folders by new ones, in a path and in all texts of a JSON value."""
    pairs = sorted(((old, new) for old, new in moved.items() if old != new), key=lambda pair: -len(pair[0]))

    def rewrite(value: object) -> object:
        if isinstance(value, str):
            return next((new + value[len(old) :] for old, new in pairs if _is_below(value, old)), value)
        if isinstance(value, dict):
            return {key: rewrite(item) for key, item in value.items()}
        return [rewrite(item) for item in value] if isinstance(value, list) else value

    return rewrite if pairs else lambda value: value


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
