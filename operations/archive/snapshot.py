"""A snapshot of the database, while the site continues to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from training.models import Run


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads in the block see the database at its start; nobody has to wait."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    elif connection.in_atomic_block:
        yield
    else:
        with _reading():
            yield


@contextmanager
def _reading() -> Iterator[None]:
    """SQLite's WAL mode keeps the snapshot for readers; `atomic` would block all writers."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            Run.objects.exists()  # the snapshot begins with the first read
            yield
        finally:
            cursor.execute("ROLLBACK")
