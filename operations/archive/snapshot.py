"""One moment of the database, while the site goes on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from training.models import Run


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read in the block is of the moment at which it began; nobody waits for it."""
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
    """SQLite's WAL mode keeps this moment for whoever reads; `atomic` would lock out all who write."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            Run.objects.exists()  # the moment is that of the first reading
            yield
        finally:
            cursor.execute("ROLLBACK")
