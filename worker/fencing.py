"""The fence between two attempts of a run, kept by the worker that wants to start the later one.

The waiting worker stores the reason in the run's row (`worker.obstacles`): a web process may be on a machine without
the attempt's folder, and must not read a disk for each row of a list.
"""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings

from engine.interface import fence
from engine.launcher import ProcessRecord, kill_all_of
from training.models import Run
from training.models.obstacle import OLD_PROCESS_LIVES, OLD_PROCESS_MAY_LIVE, Obstacle


class Fencing:
    """Remembers when this worker asked each old process to end."""

    def __init__(self) -> None:
        self._told_at: dict[Path, float] = {}

    def obstacle(self, run: Run) -> Obstacle:
        """Empty if the process of the run's last attempt can no longer write.

        Kill the process if it is on this host; otherwise ask it to end, and give it the time to notice."""
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
