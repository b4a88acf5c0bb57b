"""Counts of a page's database queries."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from operations import disk_notice as disk

ASKED_NOW_AND_THEN = ("django_migrations", "sqlite_master", "pg_catalog")  # the check of the schema version


def queries_of(client: Any, address: str) -> list[str]:
    """The queries of one page, as for the first request after a pause."""
    disk._notice.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    statements = [one["sql"] for one in queries.captured_queries]
    return [sql for sql in statements if not any(name in sql for name in ASKED_NOW_AND_THEN)]
