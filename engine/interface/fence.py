"""The fence between two attempts of a run: the older one's process must be gone before the newer one's begins.

A process holds a lock in its attempt's folder for as long as it, or anything that it forked, lives. On one machine a
free lock is proof that nothing lives. On another one, which may be cut off and still write to a shared file system, the
older process looks for a mark, and ends itself when it finds it.
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
    """Take the attempt's lock, and watch for its mark from now on; keep what is returned for as long as it lives."""
    threading.Thread(target=_watch, args=(folder / MARK_FILE,), daemon=True, name="fence").start()
    file = (folder / LOCK_FILE).open("a")
    for _ in range(TRIES):  # who looks whether it is held has it for a moment
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.05)
        except OSError as error:
            logger.warning("There are no locks on this file system (%s); the mark is left.", error)
            break
    return file


def is_held(folder: Path) -> bool:
    """Whether a process of the attempt lives, as far as locks tell."""
    try:
        with (folder / LOCK_FILE).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no folder, or no locks there: nothing is told
    return False


def put_up(folder: Path) -> None:
    """Tell the attempt's process to end, wherever it is."""
    (folder / MARK_FILE).touch()


def _watch(mark: Path) -> None:
    while not mark.exists():
        time.sleep(LOOK_SECONDS)
    logger.error("This attempt was given up, and another one takes its place: its process ends at once.")
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)  # what it forked too
    os._exit(1)
