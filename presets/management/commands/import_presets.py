"""Import presets from files, folders and zips on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from presets.library import exchange
from web.errors import BadInput


class Command(BaseCommand):
    help = "Import OneTrainer's preset and config files, and exports of this site: files, folders, zips."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--folder", default="", help="the folder for all presets, such as SDXL")
        parser.add_argument("--owner", default="", help="the user who owns the presets")
        parser.add_argument("--dry-run", action="store_true", help="only list the presets, without importing them")

    def handle(self, *, paths: list[Path], folder: str, owner: str, dry_run: bool, **options: Any) -> None:
        by = self._owner(owner)
        try:
            presets = [preset for path in paths for preset in _read(path, folder)]
            exchange.refuse_twins(presets)
            with transaction.atomic():
                for preset in presets:
                    version = exchange.save_imported(preset, by)
                    notes = "".join(f"\n    {note}" for note in preset.notes)
                    self.stdout.write(f"{preset.name}: version {version.number}{notes}")
                transaction.set_rollback(dry_run)
        except BadInput as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read ({error.strerror}): check the path.") from error
        done = "Nothing was imported (--dry-run)" if dry_run else f"Imported {len(presets)} presets"
        self.stdout.write(self.style.SUCCESS(f"{done}."))

    def _owner(self, name: str) -> Any:
        if not name:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}: name an existing user.")
        return user


def _read(path: Path, folder: str) -> Iterator[exchange.UploadedPreset]:
    """The presets in a file, or in all JSON files below a folder."""
    if not path.is_dir():
        yield from exchange.from_upload(path.name, path.read_bytes(), folder)
        return
    files = sorted(file for file in path.rglob("*.json") if file.name != "#.json" and file.is_file())
    if not files:
        raise BadInput(f"{path} contains no JSON files: name the folder with the presets.")
    for file in files:
        inside = file.relative_to(path)
        yield from exchange.from_file(str(inside), file.read_bytes(), folder)
