"""The data folder's disk: how full it is, how fast it fills, and whether a run's next files will fit."""

from __future__ import annotations

import shutil
import time
from collections import deque

from django.conf import settings

from engine.interface.json_types import JsonObject

READ_SECONDS = 10.0
REMEMBERED = 180  # readings: half an hour
LEAST_SECONDS = 600.0  # a shorter time is too short to compute a speed


class DiskWatch:
    """A worker's memory of the free space, reported with each heartbeat."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    def read(self) -> JsonObject:
        """The disk's size and free space in bytes, and the shrinkage of the free space per hour, if there is any."""
        disk, moment = shutil.disk_usage(settings.DATA_DIR), time.monotonic()
        if not self._readings or moment - self._readings[-1][0] >= READ_SECONDS:
            self._readings.append((moment, disk.free))
        return {"total": disk.total, "free": disk.free, "shrinks_by": self._speed()}

    def _speed(self) -> int:
        if len(self._readings) < 2:
            return 0
        (began, free_then), (ended, free_now) = self._readings[0], self._readings[-1]
        seconds = ended - began
        return max(0, round((free_then - free_now) / seconds * 3600)) if seconds >= LEAST_SECONDS else 0


WATCH = DiskWatch()
