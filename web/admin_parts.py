"""Shared parts of all apps' admin pages: pills, readable configs, tables of changes, downloads, read-only pages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from engine.interface.json_types import JsonObject

NOTHING = "–"


@dataclass(frozen=True)
class ConfigLine:
    """One line of a readable config: a name with its value as text, or with the lines below it."""

    name: str
    text: str = ""
    children: list[ConfigLine] = field(default_factory=list)


def entries(config: JsonObject | list[Any]) -> list[ConfigLine]:
    """A config as nested lines, without null values; the items of lists of objects are numbered from 1."""
    named = config.items() if isinstance(config, dict) else enumerate(config, start=1)
    return [_entry(str(name), value) for name, value in named if value is not None]


def _entry(name: str, value: object) -> ConfigLine:
    is_table = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    if value and isinstance(value, (dict, list)) and (is_table or isinstance(value, dict)):
        return ConfigLine(name, children=entries(value))
    return ConfigLine(name, text=as_text(value))


def as_text(value: object) -> str:
    """A config value on one line, as in its file; a dash if it is not set."""
    return NOTHING if value is None else json.dumps(value, ensure_ascii=False)


def pill(status: str, label: str = "") -> SafeString:
    """A status as a coloured word, with colours from css/admin.css."""
    return format_html('<span class="pill pill-{}">{}</span>', status, label or status)


def short_time(moment: datetime | None) -> str:
    """Date and time to the minute, in the site's time zone."""
    return f"{localtime(moment):%Y-%m-%d %H:%M}" if moment else NOTHING


def link_to(thing: Model | None) -> SafeString | str:
    """A link to the admin page of `thing`, or a dash."""
    if thing is None:
        return NOTHING
    address = f"admin:{thing._meta.app_label}_{thing._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(address, args=[thing.pk]), thing)


def download(content: JsonObject, filename: str) -> HttpResponse:
    """Respond with a JSON file that the browser saves."""
    body = json.dumps(content, indent=2, cls=DjangoJSONEncoder)
    disposition = f'attachment; filename="{filename}"'
    return HttpResponse(body, content_type="application/json", headers={"Content-Disposition": disposition})


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes none at run time
    """A read-only list and pages: the rows are the site's history."""

    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
