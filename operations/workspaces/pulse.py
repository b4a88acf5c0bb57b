"""Whether a training that was started outside this site is still alive."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil

from engine.onetrainer.workspace import WorkspaceTraining

PATIENCE = 600.0  # seconds without a write; TensorBoard's writer itself waits up to two minutes
SETTLED = 60.0  # seconds after the final model was written, the last thing that a training does
CLOCKS = 5.0  # seconds by which the log's name may be older than its process
BUSY_SECONDS, BUSY_PERCENT = 5.0, 10.0  # of computing: a model is loaded and pictures are cached without a write
GLANCE = 0.5  # seconds


class Pulse:
    """Signs of life of one training: its writes, and the process whose number is in its log's name.

    If the process was visible and is gone, the training has ended. If it is visible, the training lasts as long as it
    writes or computes, since OneTrainer's desktop stays alive after a training. If it is not visible (on another host,
    in a container), it may be quiet for a while.
    """

    def __init__(self, patience: float = PATIENCE, settled: float = SETTLED) -> None:
        self.patience, self.settled = patience, settled
        self.seen = False
        self._sign = 0.0
        self._computed: float | None = None

    def is_beating(self, training: WorkspaceTraining, follow: bool, is_newest: bool = True) -> bool:
        """Whether it trains; `is_newest` means that its process has started no other training in this workspace since.

        Without following, only a visible process counts.
        """
        self._sign = max(self._sign, training.last_write())
        process = _process_of(training)
        if process is not None:
            self.seen = True
            self._look_at(process)
        elif self.seen or not follow:
            return False
        return is_newest and not _is_done(training, self.settled) and time.time() - self._sign < self.patience

    def _look_at(self, process: psutil.Process) -> None:
        """A process that computes is alive, even if it writes nothing for hours."""
        try:
            times = process.cpu_times()
            computed = times.user + times.system
            if self._computed is None:
                self._computed = computed
                quiet = time.time() - self._sign >= self.patience
                busy = quiet and process.cpu_percent(interval=GLANCE) >= BUSY_PERCENT
            else:
                busy = computed - self._computed >= BUSY_SECONDS
        except psutil.NoSuchProcess:
            return  # the next look finds it gone
        if busy:
            self._sign, self._computed = time.time(), computed


def _process_of(training: WorkspaceTraining) -> psutil.Process | None:
    found = training.process()
    if found is None or found[1] != socket.gethostname():
        return None
    begun, _, pid = found
    try:
        process = psutil.Process(pid)
        same = process.create_time() <= begun + CLOCKS  # otherwise another process has the number now
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _is_done(training: WorkspaceTraining, settled: float) -> bool:
    """Whether the final model was written, and nothing after it."""
    if training.model is None:
        return False
    written = _newest_within(training.model)
    return written >= training.last_write() and time.time() - written > settled


def _newest_within(path: Path) -> float:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
