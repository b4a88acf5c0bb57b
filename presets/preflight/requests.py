"""Preflights: asking a worker to check a config on its own host, and reading the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.timezone import now

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.models import Preflight
from system.models import Job, Worker

KEPT = timedelta(days=1)

# Given a user, a partial config and an engine: their preflight, for which nobody waits any longer.
Checker = Callable[[User | None, dict[str, Any], str], Preflight]


def worker_is_alive() -> bool:
    """True if some worker can check."""
    return Worker.objects.alive().exists()


def request(user: User | None, partial: JsonObject, engine: str = "builtin") -> Preflight:
    """Ask for a check of the config as a run would get it; raises BadInput if its lists cannot be read."""
    Preflight.objects.filter(created_at__lt=now() - KEPT).delete()
    owner = user if user is not None and user.is_authenticated else None
    return Preflight.objects.ask(owner, engine, configs.freeze(engine, partial))


def is_awaited(preflight: Preflight) -> bool:
    """True while a start waits for its answer: for PREFLIGHT_SECONDS, and less if no worker claims it."""
    waited = (now() - preflight.created_at).total_seconds()
    unclaimed = preflight.status == Job.Status.WAITING and waited > settings.PREFLIGHT_CLAIM_SECONDS
    return not (preflight.is_ended or unclaimed or waited > settings.PREFLIGHT_SECONDS)


def problems_of(preflight: Preflight) -> list[Problem]:
    return [Problem(**problem) for problem in preflight.problems]


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
