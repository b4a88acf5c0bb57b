"""Changes of a config as tables, for pages and the admin."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from engine.interface.json_types import JsonObject
from presets.config import configs
from web.admin_parts import as_text


def changes(before: JsonObject, after: JsonObject) -> list[dict[str, str]]:
    """The fields that differ, with both sides as text; null and unset fields look the same."""
    rows = (
        {"field": row["field"], "before": as_text(row["before"]), "after": as_text(row["after"])}
        for row in configs.flat_difference(before, after)
    )
    return [row for row in rows if row["field"] and row["before"] != row["after"]]


def changes_table(before: JsonObject, after: JsonObject) -> SafeString:
    return render_to_string("admin/_changes.html", {"rows": changes(before, after)})
