"""Preflights: asking a worker to check a config on its own host, and reading the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.models import Preflight
from system.models import Job, Worker

KEPT = timedelta(days=1)


class Checker(Protocol):
    """Gives the preflight of a partial config, for which nobody waits any longer.

    With `resume_from`, a backup's path, the config is a run's own, and the check compares its data with the backup's.
    """

    def __call__(self, user: User | None, config: JsonObject, engine: str, resume_from: str = "") -> Preflight: ...


def worker_is_alive() -> bool:
    """True if some worker can check."""
    return Worker.objects.alive().exists()


def request(user: User | None, partial: JsonObject, engine: str = "builtin", resume_from: str = "") -> Preflight:
    """Ask for a check of the config as a run would get it; raises BadInput if its lists cannot be read."""
    Preflight.objects.filter(created_at__lt=now() - KEPT).delete()
    owner = user if user is not None and user.is_authenticated else None
    config = partial if resume_from else configs.freeze(engine, partial)
    return Preflight.objects.ask(owner, engine, config, resume_from)


def is_awaited(preflight: Preflight) -> bool:
    """True while a start waits for its answer: for PREFLIGHT_SECONDS, and less if no worker claims it."""
    return not (preflight.is_ended or is_unclaimed(preflight) or _waited(preflight) > settings.PREFLIGHT_SECONDS)


def is_unclaimed(preflight: Preflight) -> bool:
    """True if no worker took it within PREFLIGHT_CLAIM_SECONDS."""
    return preflight.status == Job.Status.WAITING and _waited(preflight) > settings.PREFLIGHT_CLAIM_SECONDS


def _waited(preflight: Preflight) -> float:
    return (now() - preflight.created_at).total_seconds()


def problems_of(preflight: Preflight) -> list[Problem]:
    """The findings; a check that ended without a result is an error of the whole config, since nothing is known."""
    found = [Problem(**problem) for problem in preflight.problems]
    if not preflight.is_ended or preflight.status == Job.Status.DONE:
        return found
    return [*found, Problem("", preflight.error or _("The check ended without a result: start it again."))]


def unanswered(preflight: Preflight) -> str:
    """Why this check has no result yet, as a sentence for a user who does not wait any longer; else empty."""
    if preflight.is_ended:
        return ""
    if preflight.status == Job.Status.WAITING:
        return _(
            "No worker took the check of pictures, model, disk and memory within %(seconds)g seconds: "
            "see whether a worker is running, then check again."
        ) % {"seconds": settings.PREFLIGHT_CLAIM_SECONDS}
    return _(
        "The check of pictures, model, disk and memory has not ended after %(seconds)g seconds: "
        "read its result later, or check again."
    ) % {"seconds": settings.PREFLIGHT_SECONDS}


def changes_since_backup(user: User | None, config: JsonObject, engine: str, backup: str, check: Checker) -> list[str]:
    """How a run would continue from this backup because its data changed since, in sentences.

    Empty if nothing changed, or if no worker can tell now: then the timeline of the run says it.
    """
    if not settings.PREFLIGHT_SECONDS or not worker_is_alive():
        return []
    preflight = check(user, config, engine, backup)
    return [problem["message"] for problem in preflight.problems if problem["severity"] == "warning"]


def unchecked(problems: list[Problem]) -> list[Problem]:
    """A warning that nobody looked at the files, if the quick check found no error and no worker lives."""
    if not settings.PREFLIGHT_SECONDS or worker_is_alive() or any(problem.is_error for problem in problems):
        return []
    text = _("No worker is running, so pictures, base model, disk and memory were not checked: start a worker.")
    return [Problem("", text, "warning")]


def whole_check(
    user: User | None, partial: JsonObject, engine: str, check: Checker
) -> tuple[list[Problem], Preflight | None]:
    """The one check of a config, for editor, API and start: what the web process sees, then what a worker sees.

    `check` is called only if the quick part finds no error and a worker lives; None stands for no preflight.
    """
    problems = configs.validate(partial, engine)
    if any(problem.is_error for problem in problems) or not settings.PREFLIGHT_SECONDS or not worker_is_alive():
        return problems, None
    preflight = check(user, partial, engine)
    return list(dict.fromkeys([*problems, *problems_of(preflight)])), preflight
