"""Whether a training that was started outside of this site still lives."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import psutil

from engine.onetrainer.workspace import Training

logger = logging.getLogger(__name__)
PATIENCE = 600.0  # seconds without a sign of life; TensorBoard's writer itself waits up to two minutes
CLOCKS = 5.0  # seconds by which the log's name may be older than its process seems


class Pulse:
    """One training's signs of life: its process where it can be seen, and else that it writes."""

    def __init__(self, patience: float = PATIENCE):
        self.patience = patience
        self.seen = False

    def is_beating(self, training: Training, follow: bool) -> bool:
        """A process that was seen once and is gone has ended; one that cannot be seen may be quiet for a while.

        Who does not follow looks only once, and believes in nothing but the process.
        """
        if _process_lives(training):
            self.seen = True
            return True
        return follow and not self.seen and time.time() - training.last_write() < self.patience


def _process_lives(training: Training) -> bool:
    """Whether the process whose number the log's name holds still has that log open."""
    found = training.process()
    if found is None or found[1] != socket.gethostname():
        return False
    begun, _, pid = found
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.create_time() > begun + CLOCKS:
            return False  # the number has gone to another process since
    except psutil.NoSuchProcess:
        return False
    return _holds_log(process, training)


def _holds_log(process: psutil.Process, training: Training) -> bool:
    """Another user's files cannot be seen: that its process is there has to do then."""
    try:
        files = {Path(file.path) for file in process.open_files()}
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        logger.debug("The files of process %d cannot be seen.", process.pid)
        return True
    return any(file.resolve() in files for file in training.event_files())
