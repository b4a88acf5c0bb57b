"""What happened to a run, in one list: its events, and the commands that people gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from training.models import Run, RunCommand, RunEvent


@dataclass(frozen=True)
class Moment:
    """One line of the timeline: `text` in one line, `details` in several, such as a traceback.

    `status` is what became of a command, and empty for an event; `user` is None where nobody asked for it.
    """

    at: datetime
    kind: str
    text: str
    details: str
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
    return Moment(event.at, event.kind, describe(event), _in_lines(event.data), event.user, event.attempt)


def _from_command(command: RunCommand) -> Moment:
    facts = {**command.arguments, "detail": command.detail}
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
    """What the event says, in words."""
    facts = dict(event.data)
    if event.kind == "status_changed":
        facts["message"] = f"{facts.pop('from', '?')} → {facts.pop('to', '?')}"
    return _in_words(facts)


def _in_words(facts: dict[str, Any]) -> str:
    """The facts in one line, what is said in a sentence first; what needs several lines is left out."""
    short = {key: value for key, value in facts.items() if value not in (None, "", {}, []) and not _is_long(value)}
    said = [str(short.pop(key)) for key in ("message", "detail") if key in short]
    return " · ".join([*said, *(f"{key.replace('_', ' ')}: {value}" for key, value in short.items())])


def _in_lines(facts: dict[str, Any]) -> str:
    return "\n\n".join(value for value in facts.values() if _is_long(value))


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value
