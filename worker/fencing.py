"""The fence between two attempts of a run, kept by the worker that wants to start the later one.

The worker that waits writes to the run's row why it waits: a web process may be on a machine that does not see the
attempt's folder, and must not read a disk for each row of a list.
"""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings

from engine.interface import fence
from engine.launcher import ProcessRecord, kill_all_of
from training.live.publisher import Publisher, state_messages
from training.models import Run
from training.models.obstacle import OLD_PROCESS_LIVES, OLD_PROCESS_MAY_LIVE, Obstacle


class Fencing:
    """Remembers when this worker told which old process to end."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._told_at: dict[Path, float] = {}

    def is_complete(self, run: Run) -> bool:
        """Whether the process of the run's last attempt can write nothing more; if not, the row says why it waits."""
        obstacle = self._obstacle(run)
        if obstacle != run.obstacle and run.keep_obstacle(obstacle):
            self._publisher.publish(state_messages(run))
        return not obstacle

    def _obstacle(self, run: Run) -> Obstacle:
        """A process that is seen from here is killed; another one is told to end and given the time to hear of it."""
        folder = run.attempt_folder
        start = ProcessRecord.read(folder)
        if run.attempt == 0 or start is None:
            return {}
        kill_all_of(folder)
        here = start.is_of_this_boot or start.is_of_this_host
        if here and not fence.is_held(folder):
            return {}
        fence.put_up(folder)
        waited = time.monotonic() - self._told_at.setdefault(folder, time.monotonic())
        if fence.is_held(folder):
            return {"code": OLD_PROCESS_LIVES, "host": start.host}
        if not here and waited < settings.FENCE_SECONDS:
            return {"code": OLD_PROCESS_MAY_LIVE, "host": start.host, "seconds": settings.FENCE_SECONDS}
        return {}
