"""Workers whose hosts vanish: noticed without anybody's hand, and believed again when they come back.

A worker says every two seconds that it lives. Who watches does not compare its clock with another host's: a worker is
silent when its last sign of life has stayed the same for as long as a lease lasts, by the watcher's own clock, and the
database answered all that while. So neither a clock that is set nor a database that was away takes anybody for dead.
"""

from __future__ import annotations

import logging
import threading
import time
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

logger = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
GAP_SECONDS = 8.0  # without an answer for so long, all that was seen before counts no more


class LeaseWatch:
    """Which workers are silent, seen from this process."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[datetime, float]] = {}
        self._looked_at = -GAP_SECONDS

    def silent(self) -> set[int]:
        """The ids of workers whose lease has run out; to be asked again and again. Raises DatabaseError."""
        signs = dict(Worker.objects.values_list("pk", "heartbeat_at"))
        present = time.monotonic()
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
    """Say of each run that a silent worker has, and whose process is not seen here, that it lost its worker."""
    runs = Run.objects.active().filter(worker__in=silent).select_related("worker")
    return [run for run in runs if not run.is_watched and not _lives_here(run) and _lose(run)]


def _lives_here(run: Run) -> bool:
    """A process on this machine that trains while nobody follows it is not lost: what it says is read later."""
    own = run.data_folder in ("", folder_identity())
    return own and EngineProcess.find(run.attempt_folder) is not None


@transaction.atomic
def _lose(run: Run) -> bool:
    worker = run.worker
    assert worker is not None
    sentence = _(
        "Nothing is heard any more of its worker %(name)s on %(host)s. If its process lives, it trains on, and the run "
        "goes on here when the worker is back."
    ) % {"name": worker.name, "host": worker.host}
    lost = run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="lost_worker")
    if lost:
        logger.warning("Run %s has lost its worker %s.", run, worker)
        for command in run.commands.filter(status__in=RunCommand.OPEN).exclude(kind="stop"):
            command.close(RunCommand.Status.EXPIRED, sentence)  # a stop still counts when the worker is back
        announce(run)
    return lost


class LeaseKeeper(Watch):
    """Looks after the leases in every worker and every web process, as each of them may be the last one left."""

    def __init__(self) -> None:
        super().__init__("leases", LOOK_SECONDS)
        self._watch = LeaseWatch()

    def look(self) -> None:
        declare_lost(self._watch.silent())


_keeper_lock = threading.Lock()
_keeper: LeaseKeeper | None = None


def keep_leases() -> None:
    """Have this web process look after the leases, from its first request on."""
    global _keeper  # noqa: PLW0603  one for the whole process
    with _keeper_lock:
        if _keeper is None:
            _keeper = LeaseKeeper()
            _keeper.start()
