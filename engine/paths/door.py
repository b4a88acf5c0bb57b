"""The door itself: judge a path and open it in one step, so that nothing can change in between."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from engine.paths.opening import FOLDER, open_below, open_root
from engine.paths.policy import Judged, Policy, Purpose, Refused, Why

FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a pipe must not wait for its writer
SWAPPED = (errno.ELOOP, errno.ENOTDIR, errno.EXDEV)
TRIES = 3  # somebody may rename a folder at the very moment


def open_judged(judged: Judged, flags: int = FILE) -> int:
    """A descriptor of a judged file or folder. Raises Refused if a link came in between, and OSError."""
    root = open_root(judged.root.path)
    try:
        return open_below(root, judged.parts, flags)
    except OSError as error:
        if error.errno in SWAPPED:
            raise Refused(Why.CHANGED, judged.real) from error
        raise
    finally:
        os.close(root)


def open_file(policy: Policy, path: str, purpose: Purpose) -> BinaryIO:
    """The regular file at the path, for reading. Raises Refused and OSError."""
    for left in reversed(range(TRIES)):
        judged = policy.judge(path, purpose)
        try:
            return regular(open_judged(judged), path)
        except Refused as refused:
            if refused.why is not Why.CHANGED or not left:
                raise
    raise AssertionError("the last try returns or raises")


def regular(descriptor: int, path: str) -> BinaryIO:
    """The file of a descriptor, which must be a regular file; otherwise it is closed. Raises Refused."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(Why.KIND, path)
    return os.fdopen(descriptor, "rb")


def open_folder(policy: Policy, path: str, purpose: Purpose) -> tuple[int, Judged]:
    """A descriptor of the folder, to read its names from, and where it is. Raises Refused and OSError."""
    judged = policy.judge(path, purpose)
    return open_judged(judged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), judged


def make_folder(policy: Policy, path: str, purpose: Purpose = Purpose.WRITE_FOLDER) -> str:
    """Create one folder below an existing one, and return its real path. Raises Refused and OSError."""
    judged = policy.judge(path, purpose)
    if not judged.parts:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), judged.real)
    above = Judged(os.path.dirname(judged.real), judged.root, purpose)
    folder = open_judged(above, FOLDER)
    try:
        os.mkdir(judged.parts[-1], dir_fd=folder)
    finally:
        os.close(folder)
    return judged.real
