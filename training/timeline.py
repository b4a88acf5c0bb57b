"""What happened to a run, in one list: its events, and the commands that people gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from training.models import Run, RunCommand, RunEvent


@dataclass(frozen=True)
class Moment:
    """One line of the timeline; `status` is what became of a command, and empty for an event."""

    at: datetime
    kind: str
    text: str
    user: Any
    attempt: int
    status: str = ""

    @property
    def what(self) -> str:
        return self.kind.replace("_", " ")


def timeline(run: Run, limit: int = 200) -> list[Moment]:
    """The newest `limit` moments of the run, newest first."""
    events = run.events.select_related("user").order_by("-at", "-pk")[:limit]
    commands = run.commands.select_related("requested_by").order_by("-requested_at")[:limit]
    moments = [*map(_from_event, events), *map(_from_command, commands)]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


def _from_event(event: RunEvent) -> Moment:
    return Moment(event.at, event.kind, describe(event), event.user, event.attempt)


def _from_command(command: RunCommand) -> Moment:
    parts = [*_facts(command.arguments), command.detail]
    text = ", ".join(part for part in parts if part)
    return Moment(command.requested_at, command.kind, text, command.requested_by, command.attempt, command.status)


def describe(event: RunEvent) -> str:
    """What the event says, in words."""
    facts = dict(event.data)
    if event.kind == "status_changed":
        change = f"{facts.pop('from', '?')} → {facts.pop('to', '?')}"
        return ", ".join(part for part in (change, facts.get("detail")) if part)
    said = [str(facts.pop(key)) for key in ("message", "detail") if facts.get(key)]
    return ", ".join([*said, *_facts(facts)])


def _facts(data: dict[str, Any]) -> Iterator[str]:
    return (f"{key.replace('_', ' ')}: {value}" for key, value in data.items() if value not in (None, "", {}, []))
