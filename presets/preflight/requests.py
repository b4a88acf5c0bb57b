"""Preflights: asking a worker to check a config in its own world, waiting for the answer, and reading it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.timezone import now

from engine.interface.errors import Problem
from presets.config import configs
from presets.models import Preflight

KEPT = timedelta(days=1)
LATE = timedelta(seconds=10)  # a worker that checks says so at least every second
CLAIM_SECONDS = 3.0  # a living worker looks for preflights twice a second
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.2


def worker_is_alive() -> bool:
    """Whether anybody is there to check."""
    return apps.get_model("system", "Worker").objects.alive().exists()


def request(user: Any, partial: dict[str, Any], engine: str = "builtin") -> Preflight:
    """Ask for a check of the config as a run would be given it; raises BadInput where its lists cannot be read."""
    Preflight.objects.filter(created_at__lt=now() - KEPT).delete()
    return Preflight.objects.create(
        user=user if user is not None and user.is_authenticated else None,
        engine=engine,
        config=configs.freeze(engine, partial),
    )


def wait(preflight: Preflight, seconds: float) -> Preflight:
    """Wait until it has ended, at most so long; where nobody takes it up, not even that long."""
    start, pause = time.monotonic(), FIRST_PAUSE
    while not preflight.is_ended:
        waited = time.monotonic() - start
        unclaimed = preflight.status == Preflight.Status.WAITING and waited > CLAIM_SECONDS
        if waited > seconds or unclaimed:
            break
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)
        preflight.refresh_from_db()
    return preflight


def problems_of(preflight: Preflight) -> list[Problem]:
    return [Problem(**problem) for problem in preflight.problems]


def whole_check(user: Any, partial: Any, engine: str = "builtin") -> tuple[list[Problem], Preflight | None]:
    """The one check of a config, for editor, API and start: what the web can see, then what a worker sees.

    The worker is asked only where the quick part finds no error, and where one lives; None stands for no preflight.
    """
    problems = configs.validate(partial, engine)
    if any(problem.is_error for problem in problems) or not settings.PREFLIGHT_SECONDS or not worker_is_alive():
        return problems, None
    preflight = wait(request(user, partial, engine), settings.PREFLIGHT_SECONDS)
    return list(dict.fromkeys([*problems, *problems_of(preflight)])), preflight


def take(worker: str) -> Preflight | None:
    """Give this worker the next preflight that waits, or that a worker left lying when it died.

    The conditional UPDATE is the lock: of two workers, one sees a row change.
    """
    waiting = Preflight.objects.filter(status=Preflight.Status.WAITING)
    left = Preflight.objects.filter(status=Preflight.Status.RUNNING, heartbeat_at__lt=now() - LATE)
    for preflight in [*waiting.order_by("created_at")[:5], *left[:5]]:
        mine = Preflight.objects.filter(
            pk=preflight.pk, status=preflight.status, heartbeat_at=preflight.heartbeat_at
        ).update(status=Preflight.Status.RUNNING, worker=worker, heartbeat_at=now())
        if mine:
            preflight.refresh_from_db()
            return preflight
    return None


def say(preflight: Preflight, **changes: Any) -> bool:
    """Note how far it is, or what came out; False where it was given to another worker or removed."""
    own = Preflight.objects.filter(pk=preflight.pk, worker=preflight.worker, status=Preflight.Status.RUNNING)
    return own.update(**{"heartbeat_at": now(), **changes}) == 1
