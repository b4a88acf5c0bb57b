"""`manage.py import_all`: a whole installation from one file."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from operations.archive.importing import Import
from operations.archive.manifest import KEY, Manifest
from operations.archive.report_progress import Progress
from system.data_folder import FolderLock, FolderTaken
from web.errors import DomainError


class Command(BaseCommand):
    help = (
        "Import an archive of `manage.py export_all` into a new installation. Everything in it is checked "
        "before anything is changed. Runs that were training can be continued from their newest backup."
    )
    requires_system_checks: list[str] = []  # a new installation may lack what the checks need

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="the archive")
        parser.add_argument("--data-dir", help="the new site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: object, path: Path, **options: Any) -> None:
        try:
            with FolderLock(settings.DATA_DIR):
                manifest = Import(path.expanduser().absolute(), Progress(self.stdout.write)).take_in()
        except (DomainError, FolderTaken, DatabaseError, OSError) as error:
            raise CommandError(str(error)) from error
        rows, files = f"{manifest.row_count:,} rows", f"{len(manifest.files):,} files"
        self.stdout.write(f"Imported {rows} and {files} of {manifest.made_at}. Start the site with `manage.py serve`.")
        self._say_what_is_to_do(manifest)

    def _say_what_is_to_do(self, manifest: Manifest) -> None:
        if KEY not in manifest.files:
            self.stdout.write("It holds no secrets: users sign in again, and make and enter their tokens again.")
        elif os.environ.get("SECRET_KEY", "") not in ("", (settings.DATA_DIR / KEY).read_text().strip()):
            self.stdout.write(f"SECRET_KEY is set to another key than the archive's: unset it, or set it to {KEY}'s.")
