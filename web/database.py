"""Failures of the database: it is away for a while, of another version, or it refuses a value."""

from __future__ import annotations

import logging

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.db.migrations.loader import MigrationLoader

AWAY = (OperationalError, InterfaceError)  # raised if the database does not answer; it may answer again in a moment
# A retry does not help with these errors, unlike with those above.
REFUSALS = (DataError, IntegrityError, ProgrammingError, NotSupportedError)


class AwayInOneLine(logging.Filter):
    """Logs one line, without a traceback, for each request while the database is away."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, AWAY):
            record.msg, record.args = "%s: the database is away: %s", (record.getMessage(), str(error).strip())
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
        return True


class OtherSchema(Exception):
    """The database belongs to another version of this program, and accepts the same statement after an upgrade."""


def is_passing(error: BaseException) -> bool:
    """Whether a retry may work later: the database is away, or belongs to another version for now."""
    if isinstance(error, (*AWAY, OtherSchema)):
        return True
    try:
        return isinstance(error, DatabaseError) and bool(other_schema())
    except (DatabaseError, InterfaceError) as trouble:
        return isinstance(trouble, AWAY)


def other_schema() -> str:
    """The difference between the database's version and the program's, as a sentence; empty if there is none.

    Raises the database's own error if it is away.
    """
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    applied, known = set(loader.applied_migrations), set(loader.disk_migrations)
    ours = {app for app, _ in known}
    if newer := sorted(name for name in applied - known if name[0] in ours and name not in loader.replacements):
        return f"The database is newer than this program ({_named(newer)}): start this program's newer version."
    if missing := sorted(name for name in known - applied if name in loader.graph.nodes):
        return f"The database is older than this program ({_named(missing)} is missing): run manage.py migrate."
    return ""


def refuse_other_schema() -> None:
    """Raises OtherSchema with the sentence, or the database's own error if it is away."""
    if difference := other_schema():
        raise OtherSchema(difference)


def _named(names: list[tuple[str, str]]) -> str:
    return ".".join(names[-1])


def has_no_room(error: BaseException | None) -> bool:
    """Whether SQLite or PostgreSQL failed because the disk is full."""
    return "disk is full" in str(error) or "No space left" in str(error)
