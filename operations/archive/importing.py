"""Importing an archive: everything is checked before anything is changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from django.apps.registry import Apps
from django.conf import settings
from django.core.management.color import no_style
from django.core.management.sql import emit_post_migrate_signal
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from operations.archive.manifest import KEY, BadArchive, Manifest, open_archive, read_manifest
from operations.archive.report_progress import Progress
from operations.archive.rows import load, path_rewriter
from operations.archive.settle import settle
from web.errors import DomainError

BLOCK = 1 << 20
STAGING = "import.partial"
MARGIN = 50_000_000  # bytes
OCCUPIED = ("training_run", "auth_user", "presets_preset")  # tables that are empty in a new installation


class CannotImport(DomainError):
    """The archive cannot be imported here."""


class Import:
    """One archive being imported into a new installation."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path, self.progress = path, progress
        self.staging = settings.DATA_DIR / STAGING

    def take_in(self) -> Manifest:
        """Raises BadArchive and CannotImport; both come before the first row is written."""
        refuse_unless_empty()
        with open_archive(self.path) as archive:
            manifest = read_manifest(archive)
            self._refuse_what_does_not_fit(manifest)
            try:
                self._check_rows(archive, manifest)
                self._stage_files(archive, manifest)
                self._fill(archive, manifest)
            finally:
                shutil.rmtree(self.staging, ignore_errors=True)
        settle(manifest)
        return manifest

    # -- before anything is changed ----------------------------------------------------------------------------

    def _refuse_what_does_not_fit(self, manifest: Manifest) -> None:
        known = MigrationExecutor(connection).loader.disk_migrations
        strange = [f"{app}.{name}" for app, name in manifest.migrations if (app, name) not in known]
        if strange:
            raise CannotImport(f"A newer program made the archive (it has {strange[0]}): update this one first.")
        taken = [name for name in manifest.files if name != KEY and (settings.DATA_DIR / name).exists()]
        if taken:
            raise CannotImport(f"{settings.DATA_DIR / taken[0]} exists already: choose an empty data folder.")
        free = shutil.disk_usage(settings.DATA_DIR).free
        if manifest.size + MARGIN > free:
            sizes = f"{manifest.size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
            raise CannotImport(
                f"The files take {sizes} in {settings.DATA_DIR}: free some space, or choose another disk."
            )

    def _check_rows(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        for label, facts in manifest.rows.items():
            for _ in _checked(archive, f"rows/{label}.jsonl", facts):
                continue

    def _stage_files(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        """Unpacked on the same disk, and renamed to their places when all of them are correct."""
        shutil.rmtree(self.staging, ignore_errors=True)
        done = 0
        for name, facts in manifest.files.items():
            path = self.staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for block in _checked(archive, f"data/{name}", facts):
                    file.write(block)
            if "mtime" in facts:
                os.utime(path, (facts["mtime"], facts["mtime"]))
            done += facts["size"]
            self.progress.bytes(done, manifest.size)

    # -- rows and files ----------------------------------------------------------------------------------------

    def _fill(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        """Rows go into tables of the archive's version, which are then migrated to this program's."""
        models = _fresh_tables(manifest)
        moved = {manifest.data_dir: str(settings.DATA_DIR), manifest.base_dir: str(settings.BASE_DIR)}
        with transaction.atomic():
            for label in manifest.rows:
                self._load(archive, models, label, path_rewriter(moved))
            _reset_sequences(models)
            self._place_files(manifest)
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        emit_post_migrate_signal(0, False, connection.alias)

    def _load(self, archive: zipfile.ZipFile, models: Apps, label: str, rewrite: Callable) -> None:
        try:
            with archive.open(f"rows/{label}.jsonl") as lines:
                for count in load(models.get_model(label), lines, rewrite):
                    self.progress.rows(label, count)
        except (KeyError, LookupError, ValueError) as error:
            sentence = f"rows/{label}.jsonl does not fit the version that the archive names ({error})"
            raise BadArchive(f"{sentence}: export once more.") from error

    def _place_files(self, manifest: Manifest) -> None:
        for name in manifest.files:
            path = settings.DATA_DIR / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (self.staging / name).replace(path)
        if KEY in manifest.files:
            (settings.DATA_DIR / KEY).chmod(0o600)


def refuse_unless_empty() -> None:
    """Raises CannotImport unless the database is empty: without tables, or never used."""
    try:
        tables = set(connection.introspection.table_names())
        for table in OCCUPIED:
            if table in tables and _has_rows(table):
                raise CannotImport(
                    "This installation is in use: it has users, presets or runs. Import into a new one, with another "
                    "DATA_DIR (and, on PostgreSQL, a new database by DATABASE_URL)."
                )
    except DatabaseError as error:
        raise CannotImport(
            f"The database cannot be used ({' '.join(str(error).split())}): check DATABASE_URL."
        ) from error
    if any((settings.DATA_DIR / "runs").iterdir()):
        raise CannotImport(f"There are runs in {settings.DATA_DIR / 'runs'}: choose an empty data folder.")


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # nosec B608 # our own names
        return cursor.fetchone() is not None


def _checked(archive: zipfile.ZipFile, member: str, facts: dict) -> Iterator[bytes]:
    """The blocks of a file in the archive; raises BadArchive with its name if it is damaged."""
    found, size = hashlib.sha256(), 0
    try:
        with archive.open(member) as inside:
            while block := inside.read(BLOCK):
                found.update(block)
                size += len(block)
                yield block
    except (KeyError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.errno:  # the target disk, not the archive
            raise
        raise BadArchive(f"{member} in the archive is damaged or missing: take another copy of the archive.") from error
    if (found.hexdigest(), size) != (facts["sha256"], facts["size"]):
        raise BadArchive(f"{member} in the archive is damaged: take another copy of the archive.")


def _fresh_tables(manifest: Manifest) -> Apps:
    """Create all tables as in the archive's version, and return its models."""
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        cascade = " CASCADE" if connection.vendor == "postgresql" else ""
        for table in tables & {*connection.introspection.django_table_names(), "django_migrations"}:
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}{cascade}")
    executor = MigrationExecutor(connection)
    executor.migrate(manifest.migrations)
    models = executor.loader.project_state(manifest.migrations).apps
    made = [model._meta.db_table for model in models.get_models(include_auto_created=True)]  # a migration creates rows
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), made, allow_cascade=True))
    return models


def _reset_sequences(models: Apps) -> None:
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models.get_models(include_auto_created=True)):
            cursor.execute(statement)
