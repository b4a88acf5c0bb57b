"""Triggers that refuse changes of the audit log, for who uses the database without this program."""

from __future__ import annotations

from typing import Any

from django.db import connections

REFUSAL = "the audit log is append-only"
CUT = "(SELECT coalesce(max(cut_number), 0) FROM system_audithead)"  # entries up to there may be deleted

SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS system_auditentry_no_update BEFORE UPDATE ON system_auditentry "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    "CREATE TRIGGER IF NOT EXISTS system_auditentry_no_delete BEFORE DELETE ON system_auditentry "
    f"WHEN OLD.number > {CUT} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
)
POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION system_auditentry_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF TG_OP = 'DELETE' AND OLD.number <= {CUT} THEN RETURN OLD; END IF; "
    f"RAISE EXCEPTION '{REFUSAL}'; END $$",
    "DROP TRIGGER IF EXISTS system_auditentry_keep ON system_auditentry",
    "CREATE TRIGGER system_auditentry_keep BEFORE UPDATE OR DELETE ON system_auditentry "
    "FOR EACH ROW EXECUTE FUNCTION system_auditentry_keep()",
    "DROP TRIGGER IF EXISTS system_auditentry_keep_all ON system_auditentry",
    "CREATE TRIGGER system_auditentry_keep_all BEFORE TRUNCATE ON system_auditentry "
    "FOR EACH STATEMENT EXECUTE FUNCTION system_auditentry_keep()",
)
REMOVE = {
    "sqlite": [f"DROP TRIGGER IF EXISTS system_auditentry_no_{kind}" for kind in ("update", "delete")],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS {name} ON system_auditentry"
        for name in ("system_auditentry_keep", "system_auditentry_keep_all")
    ],
}
INSTALL = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def install(using: str = "default", **kwargs: Any) -> None:
    """After every migration, since SQLite makes an altered table anew, without its triggers."""
    _execute(using, INSTALL)


def remove(using: str = "default") -> None:
    """Allow every change again, to empty all tables on purpose."""
    _execute(using, REMOVE)


def _execute(using: str, statements: Any) -> None:
    connection = connections[using]
    if "system_auditentry" not in connection.introspection.table_names():
        return  # migrated back to a version without the log
    with connection.cursor() as cursor:
        for statement in statements.get(connection.vendor, ()):
            cursor.execute(statement)
