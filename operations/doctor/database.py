"""The database: whether it answers, fits this version, is undamaged, and accepts writes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from operations.doctor.finding import Asked, Finding, counted, counted_are, fine, look_at, note, unknown, wrong
from system.models import Milestone
from training.models import Run

CONNECT_SECONDS = 5
GIB = 1024**3
LARGE_LOG = GIB  # bytes of a write-ahead log that no process checkpoints
MOST_NAMED = 5
CURE = "check DATABASE_URL, and that the database server is running"


def look(asked: Asked) -> Iterator[Finding]:
    if why := why_unreadable():
        yield unknown(why, CURE if connection.vendor == "postgresql" else "start the site, or check DATA_DIR")
        return
    yield from _migrations()
    yield from _sqlite() if connection.vendor == "sqlite" else _postgresql()
    yield _write()


def why_unreadable() -> str:
    """The reason why no rows can be read; empty if they can."""
    file = sqlite_file()
    if file is not None and not file.exists():  # connecting would create it
        return f"There is no database yet at {file}."
    try:
        if connection.vendor == "postgresql":
            connection.settings_dict["OPTIONS"].setdefault("connect_timeout", CONNECT_SECONDS)
        if not connection.in_atomic_block:  # closing would undo the test's transaction
            connection.close_if_unusable_or_obsolete()
        there = Run._meta.db_table in connection.introspection.table_names()
    except DatabaseError as error:
        connection.close()
        return f"The database cannot be read: {' '.join(str(error).split())}."
    return "" if there else "The database has no tables yet."


def sqlite_file() -> Path | None:
    """The path of the database file; None for a server and for a database in memory."""
    name = str(connection.settings_dict["NAME"])
    in_a_file = connection.vendor == "sqlite" and name != ":memory:" and not name.startswith("file:")
    return Path(name) if in_a_file else None


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    strange = sorted(set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations))
    if waiting:
        sentence = f"{counted_are(len(waiting), 'migration')} not applied: {_names(waiting)}."
        yield wrong(sentence, "start the site with `manage.py serve`, or run `manage.py migrate`")
    if strange:
        named = ", ".join(".".join(key) for key in strange[:MOST_NAMED])
        sentence = f"The database was changed by a newer version of this program, which has {named}."
        yield wrong(sentence, "update the program, or go back to a backup of the older database")
    if not waiting and not strange:
        yield fine(f"All {len(executor.loader.applied_migrations)} migrations are applied.")


def _names(plan: list) -> str:
    named = [f"{migration.app_label}.{migration.name}" for migration, _ in plan[:MOST_NAMED]]
    return ", ".join(named) + (" …" if len(plan) > MOST_NAMED else "")


def _sqlite() -> Iterator[Finding]:
    version, mode = _ask("SELECT sqlite_version()"), _ask("PRAGMA journal_mode")
    file = sqlite_file()
    size = f", {file.stat().st_size / 1e6:.1f} MB" if file else ""
    if file and mode.lower() != "wal":
        yield look_at(f"SQLite {version} is in the mode {mode}, in which readers block.", "restart the site")
    else:
        yield fine(f"SQLite {version} in the mode {mode.upper()}{size}.")
    yield _integrity()
    log = file.with_name(f"{file.name}-wal") if file else None
    if log and log.exists() and log.stat().st_size > LARGE_LOG:
        size = f"{log.stat().st_size / 1e9:.1f} GB"
        yield look_at(f"The write-ahead log has grown to {size}.", "restart the site, which writes it back")


def _integrity() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check(20)")
        faults = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("PRAGMA foreign_key_check")
        dangling = len(cursor.fetchall())
    cure = "stop the site, keep a copy of the file, and restore a backup made by `manage.py export_all`"
    if faults != ["ok"]:
        return wrong(f"SQLite's integrity check found errors: {'; '.join(faults[:MOST_NAMED])}.", cure)
    if dangling:
        return wrong(f"{counted(dangling, 'reference')} to missing rows.", cure)
    return fine("SQLite's integrity check found no error.")


def _postgresql() -> Iterator[Finding]:
    version, encoding = _ask("SHOW server_version"), _ask("SHOW server_encoding")
    used, most = int(_ask("SELECT count(*) FROM pg_stat_activity")), int(_ask("SHOW max_connections"))
    size = int(_ask("SELECT pg_database_size(current_database())")) / 1e6
    yield fine(f"PostgreSQL {version}, {size:.1f} MB, {used} of {most} connections in use.")
    if used > 0.8 * most:
        yield look_at(f"{used} of {most} connections are in use.", "raise max_connections, or run fewer processes")
    if encoding != "UTF8":
        yield wrong(
            f"The database's encoding is not UTF8 but {encoding}.",
            "create a new one: createdb --encoding UTF8 -T template0",
        )
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if _ask(f"SHOW {name}") == "off":
            yield note(f"PostgreSQL's {name} is off: a power cut may lose written rows.")


def _write() -> Finding:
    """Write a row and roll it back."""
    try:
        with transaction.atomic():
            Milestone.objects.create(name=f"doctor {uuid.uuid4()}")
            transaction.set_rollback(True)
    except DatabaseError as error:
        cure = "free space on its disk, check who may write its files, and that no other program locks it"
        return wrong(f"The database refuses writes: {' '.join(str(error).split())}.", cure)
    return fine("It accepts writes.")


def _ask(question: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchone()[0])
