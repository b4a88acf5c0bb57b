"""`manage.py export_all`: the whole installation in one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from operations.archive.export import Export, Wishes
from operations.archive.report_progress import Progress
from web.errors import DomainError

KEEP_PRIVATE = {
    True: "It holds the secret key, tokens and sessions: with it, anybody can sign in as any user. Keep it secret.",
    False: "It holds users with the hashes of their passwords: keep it private. The secret key, tokens and "
    "sessions are left out: users sign in again and make new tokens. --with-secrets includes them.",
}


class Command(BaseCommand):
    help = (
        "Write all rows and the files of the data folder (runs with journals, samples and backups, models, "
        "data sets) into one zip file, which `manage.py import_all` imports elsewhere, also into another kind "
        "of database. The site may serve and train during the export; a running training is exported as an "
        "interrupted run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="the file to write, or a folder for it")
        parser.add_argument("--with-secrets", action="store_true", help="include the secret key, tokens and sessions")
        parser.add_argument(
            "--without-models", action="store_true", help="leave out base models, saves and final models"
        )
        parser.add_argument(
            "--without-backups", action="store_true", help="leave out backups: runs cannot be continued then"
        )
        parser.add_argument("--data-dir", help="the site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: object, path: Path, **options: Any) -> None:
        wishes = Wishes(options["with_secrets"], options["without_models"], options["without_backups"])
        try:
            export = Export(path, wishes, Progress(self.stdout.write))
            manifest = export.write()
        except (DomainError, DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was written: {error}") from error
        size = export.path.stat().st_size
        rows, files = f"{manifest.row_count:,} rows", f"{len(manifest.files):,} files"
        self.stdout.write(f"Wrote {export.path}: {rows} and {files}, {size / 1e6:,.1f} MB.")
        self.stdout.write(KEEP_PRIVATE[wishes.with_secrets])
        self._say_what_is_not_in_it(export)

    def _say_what_is_not_in_it(self, export: Export) -> None:
        named = {
            "symbolic links": export.links,
            "folders in runs that belong to no run": export.strangers,
            "files that newer ones replaced during the export": len(export.vanished),
        }
        if left_out := [f"{count} {what}" for what, count in named.items() if count]:
            self.stdout.write(f"Left out: {', '.join(left_out)}.")
