"""The timeline of a run: its events and its users' commands in one list."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from engine.interface.json_types import JsonObject
from training.models import Run, RunCommand, RunEvent
from training.runs.actions import label_of
from training.runs.own_samples import kept_of

MOST_MOMENTS = 200
# By key: the label on the page, and the kinds of events that belong to it.
KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "states": (_("States"), ("created", "status_changed", "started", "ended", "asked_to_go_on_now", "planned")),
    "commands": (_("Commands"), ()),
    "files": (_("Files"), ("artifact", "pinned", "unpinned", "removed")),
    "troubles": (_("Warnings and failures"), ("warning", "failed", "damaged")),
    "edits": (_("Edits"), ("edited",)),
}
NAMES = {"status_changed": _("status"), "artifact": _("written"), "failed": _("failure")}
ICONS = {"warning": "alert-triangle", "failed": "alert-octagon", "damaged": "alert-octagon", "artifact": "archive"}


@dataclass(frozen=True)
class Moment:
    """One line of the timeline: `text` in one line, `details` in several, such as a traceback.

    `status` is the status of a command, and empty for an event; `user` is None if no user requested it.
    """

    at: datetime
    kind: str
    text: str
    details: str
    user: User | None
    attempt: int
    status: str = ""

    @property
    def icon(self) -> str:
        return "hand-click" if self.status else ICONS.get(self.kind, "point")

    @property
    def what(self) -> str:
        return label_of(self.kind) if self.status else str(NAMES.get(self.kind, self.kind.replace("_", " ")))


def timeline(
    run: Run,
    kinds: Collection[str] = (),
    oldest_first: bool = False,
    beyond: datetime | None = None,
    limit: int = MOST_MOMENTS,
) -> list[Moment]:
    """The newest (or oldest) moments of the run, at most `limit`, of these kinds (or all), after `beyond`."""
    names = [name for kind in kinds for name in KINDS[kind][1]]
    events, commands = run.events.select_related("user"), run.commands.select_related("requested_by")
    if kinds:
        events = events.filter(kind__in=names)
        commands = commands if "commands" in kinds else commands.none()
    if beyond is not None:
        events = events.filter(**{"at__gt" if oldest_first else "at__lt": beyond})
        commands = commands.filter(**{"requested_at__gt" if oldest_first else "requested_at__lt": beyond})
    sign = "" if oldest_first else "-"
    found = [
        *map(_from_event, events.order_by(f"{sign}at", f"{sign}pk")[:limit]),
        *map(_from_command, commands.order_by(f"{sign}requested_at")[:limit]),
    ]
    return sorted(found, key=lambda moment: moment.at, reverse=not oldest_first)[:limit]


def _from_event(event: RunEvent) -> Moment:
    details = _every_fact(event.data) if event.kind == "artifact" else _in_lines(event.data)
    return Moment(event.at, event.kind, describe(event), details, event.user, event.attempt)


def _from_command(command: RunCommand) -> Moment:
    asked = kept_of(command.arguments) if command.kind == "sample_custom" else command.arguments
    facts = {**asked, "detail": command.detail}
    return Moment(
        command.requested_at,
        command.kind,
        _in_words(facts),
        _in_lines(facts),
        command.requested_by,
        command.attempt,
        command.status,
    )


def describe(event: RunEvent) -> str:
    """The event as text."""
    facts = dict(event.data)
    if event.kind in KINDS["files"][1]:
        return _about_file(facts)
    if event.kind == "status_changed":
        facts["message"] = f"{facts.pop('from', '?')} → {facts.pop('to', '?')}"
        facts.pop("config_before", None)  # `detail` holds the changes
    return _in_words(facts)


def _about_file(facts: JsonObject) -> str:
    """The file of the event, and the reason for the event."""
    step, size, path = (facts.get(name) for name in ("global_step", "size", "path"))
    said = [
        facts.get("kind"),
        "" if step is None else _("step %(step)s") % {"step": step},
        filesizeformat(size) if size else "",
        Path(path).name if path else "",
        facts.get("why"),
    ]
    return " · ".join(str(one) for one in said if one)


def _in_words(facts: JsonObject) -> str:
    """The facts in one line, sentences first; facts of several lines are left out."""
    short = {key: value for key, value in facts.items() if value not in (None, "", {}, []) and not _is_long(value)}
    said = [str(short.pop(key)) for key in ("message", "detail") if key in short]
    return " · ".join([*said, *(f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in short.items())])


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _every_fact(facts: JsonObject) -> str:
    return "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in facts.items())


def _in_lines(facts: JsonObject) -> str:
    return "\n\n".join(value for value in facts.values() if _is_long(value))


def _is_long(value: object) -> bool:
    return isinstance(value, str) and "\n" in value
