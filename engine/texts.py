"""Texts of a config that an engine takes as a name: of a class to import, of a file, or of something unknown here."""

from __future__ import annotations

from collections.abc import Iterator

from engine import schema as json_schema
from engine.interface.errors import Problem
from engine.interface.importable import import_refusal
from engine.interface.json_types import JsonObject
from engine.paths.names import name_refusal

NEW = "is not known to this site, so it must keep its default; remove it, or update the site"


def check_texts(schema: json_schema.Schema, config: JsonObject) -> Iterator[Problem]:
    """Errors for names of classes and files, and for texts whose meaning only a newer engine knows."""
    for field, described, value, item in json_schema.walk_values(schema, config):
        if not isinstance(value, str) or not value or value == described.get("default"):
            continue
        if sentence := _refusal(described, value, json_schema.applies(described, config, item)):
            yield Problem(field, sentence)


def _refusal(described: json_schema.Schema, value: str, applies: bool) -> str:
    purpose = described.get("x-path")
    if purpose == "name":
        return name_refusal(value)
    if purpose == "import":
        return import_refusal(value) if applies else ""
    return NEW if purpose == json_schema.UNKNOWN else ""
