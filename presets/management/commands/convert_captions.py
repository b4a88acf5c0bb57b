"""Write captions of other trainers' tools as the .txt files that OneTrainer reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from engine.builtin.reading.captions import NO_CAPTION, Captions
from engine.builtin.reading.scan import BUILTIN, ONETRAINER, scan


class Command(BaseCommand):
    help = (
        "Write a .txt file in UTF-8 beside each picture whose caption is in a .caption, .json, metadata.jsonl or "
        "kohya's metadata; existing .txt files stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder with the pictures; its subfolders are included")
        parser.add_argument("--dry-run", action="store_true", help="only list the files, without writing them")

    def handle(self, *, folder: Path, dry_run: bool, **options: Any) -> None:
        try:
            files = list(_missing(folder))
            for file, text in files:
                self.stdout.write(str(file))
                if not dry_run:
                    with file.open("x", encoding="utf-8") as opened:
                        opened.write(text)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}. Check the path and its permissions.") from error
        done = f"{len(files)} files would be written (--dry-run)" if dry_run else f"Wrote {len(files)} files"
        self.stdout.write(self.style.SUCCESS(f"{done}."))


def _missing(folder: Path) -> Iterator[tuple[Path, str]]:
    """(the path, the text) of each .txt file that OneTrainer misses. Raises OSError."""
    found = scan(folder, subfolders=True)
    captions, read = Captions(found, BUILTIN), Captions(scan(folder, True, ONETRAINER), ONETRAINER)
    for picture in found.pictures:
        caption = captions.of(picture)
        is_missing = any(kind is NO_CAPTION or kind.severity == "error" for kind, _why in caption.kinds)
        if not (is_missing or read.has(picture)):
            yield picture.with_suffix(".txt"), "\n".join(caption.captions) + "\n"
