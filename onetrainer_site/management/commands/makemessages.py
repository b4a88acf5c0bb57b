"""Django's makemessages, extended by the texts of config fields in `engine/fields.toml`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages

from engine import fields

FOUND = "titles_and_help_of_fields.py"  # only while the messages are collected
WORDS = {"title", "help", "unit", "note"}


class Command(makemessages.Command):
    help = "Collect every translatable text:  " + makemessages.Command.help

    def handle(self, *args: object, **options: Any) -> None:
        Path(settings.LOCALE_PATHS[0]).mkdir(exist_ok=True)
        found = Path(settings.BASE_DIR) / "onetrainer_site" / FOUND
        words = sorted(set(_words(tomllib.loads(fields.FILE.read_text()))))
        found.write_text("".join(f"_({json.dumps(word, ensure_ascii=False)})\n" for word in words))
        try:
            super().handle(*args, **options)
        finally:
            found.unlink()


def _words(described: Any) -> Iterator[str]:
    """Titles, help, units and notes, and the names of choices."""
    if isinstance(described, list):
        for one in described:
            yield from _words(one)
    elif isinstance(described, dict):
        yield from (text for key, text in described.items() if key in WORDS and isinstance(text, str))
        yield from described.get("labels", {}).values()
        for one in described.values():
            yield from _words(one)
