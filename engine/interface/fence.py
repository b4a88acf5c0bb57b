"""The fence between two attempts of a run: the older process must be gone before the newer process begins.

A process holds a lock in its attempt's folder while it, or any process that it forked, lives. On one machine a free
lock proves that none of them lives. A process on another machine may be cut off from the site and still write to a
shared file system, so it looks for a mark and ends itself when it finds one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import IO

logger = logging.getLogger("engine")
LOCK_FILE = "alive.lock"
MARK_FILE = "fenced"
LOOK_SECONDS = 2.0
TRIES = 20


def hold(folder: Path) -> IO[str]:
    """Take the attempt's lock, and watch for its mark; keep the returned file open while the process lives."""
    threading.Thread(target=_watch, args=(folder / MARK_FILE,), daemon=True, name="fence").start()
    file = (folder / LOCK_FILE).open("a")
    for _ in range(TRIES):  # is_held() takes the lock for a moment
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.05)
        except OSError as error:
            logger.warning("This file system has no locks (%s); only the mark can end this process.", error)
            break
    return file


def is_held(folder: Path) -> bool:
    """True if a process of the attempt lives, as far as locks show."""
    try:
        with (folder / LOCK_FILE).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no folder, or no locks: unknown
    return False


def put_up(folder: Path) -> None:
    """Make the attempt's process end, on whichever machine it runs."""
    (folder / MARK_FILE).touch()


def _watch(mark: Path) -> None:
    while not mark.exists():
        time.sleep(LOOK_SECONDS)
    logger.error("A newer attempt replaces this one: this process ends at once.")
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)  # its forked processes too
    os._exit(1)
