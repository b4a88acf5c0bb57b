"""Leases of workers: a worker on a vanished host is noticed automatically, and accepted again when it comes back.

A worker sends a heartbeat every two seconds. A watcher does not compare clocks of two hosts: a worker is silent if its
heartbeat has not changed for the length of a lease, by the watcher's own clock, while the database answered all the
time. So neither a changed clock nor an unreachable database makes a live worker look dead.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from engine.launcher import EngineProcess
from system.data_folder import folder_identity
from system.models import Worker
from training.live.publisher import announce
from training.models import Run, RunCommand
from web.threads import Watch
from worker.clock import CLOCK, Clock

logger = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
GAP_SECONDS = 8.0  # after a gap this long, forget earlier sightings


class LeaseWatch:
    """The silent workers, as seen from this process."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[datetime, float]] = {}
        self._looked_at = -GAP_SECONDS

    def silent(self) -> set[int]:
        """The ids of workers whose lease has expired; to be called regularly. Raises DatabaseError."""
        signs = dict(Worker.objects.values_list("pk", "heartbeat_at"))
        present = self._clock.monotonic()
        if present - self._looked_at > GAP_SECONDS:
            self._seen = {}
        self._looked_at = present
        before = self._seen
        self._seen = {
            key: before[key] if key in before and before[key][0] == sign else (sign, present)
            for key, sign in signs.items()
        }
        return {key for key, (_sign, since) in self._seen.items() if present - since >= settings.LEASE_SECONDS}


def declare_lost(silent: set[int]) -> list[Run]:
    """Mark each run of a silent worker as lost, if its process is not on this host."""
    runs = Run.objects.active().filter(worker__in=silent).select_related("worker")
    return [run for run in runs if not run.is_watched and not _lives_here(run) and _lose(run)]


def _lives_here(run: Run) -> bool:
    """A training process on this machine that no worker follows is not lost: its journal is read later."""
    own = run.data_folder in ("", folder_identity())
    return own and EngineProcess.find(run.attempt_folder) is not None


@transaction.atomic
def _lose(run: Run) -> bool:
    worker = run.worker
    assert worker is not None
    sentence = _(
        "Worker %(name)s on %(host)s has stopped reporting. If the training process is alive, it continues, and the "
        "run is followed again when the worker is back."
    ) % {"name": worker.name, "host": worker.host}
    lost = run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="lost_worker")
    if lost:
        logger.warning("Run %s has lost its worker %s.", run, worker)
        for command in run.commands.filter(status__in=RunCommand.OPEN).exclude(kind="stop"):
            command.close(RunCommand.Status.EXPIRED, sentence)  # a stop still applies when the worker is back
        announce(run)
    return lost


class LeaseKeeper(Watch):
    """Checks the leases in every worker and every web process, since each of them may be the last one left."""

    def __init__(self) -> None:
        super().__init__("leases", LOOK_SECONDS)
        self._watch = LeaseWatch()

    def look(self) -> None:
        declare_lost(self._watch.silent())


_keeper_lock = threading.Lock()
_keeper: LeaseKeeper | None = None


def keep_leases() -> None:
    """Have this web process check the leases, from its first request on."""
    global _keeper  # noqa: PLW0603  one thread for the whole process
    with _keeper_lock:
        if _keeper is None:
            _keeper = LeaseKeeper()
            _keeper.start()
