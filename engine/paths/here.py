"""The door of this process: an engine process takes it from its attempt's spec, a page sets it while it reads.

Without one, as in a script that uses the trainer as a library, everything that the process may read is open.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from engine.paths.door import FILE, open_file, regular
from engine.paths.permits import Permits
from engine.paths.policy import Policy, Purpose, Refused

_of_process: list[Permits] = []  # the attempt's, or none
_of_page: ContextVar[Policy | None] = ContextVar("policy", default=None)


def install(permits: Permits | None) -> None:
    """From now on this process, and those that it forks, use paths as these permits allow."""
    _of_process[:] = [permits] if permits else []


@contextmanager
def reading_by(policy: Policy) -> Iterator[None]:
    """What this thread reads within the block is judged by this policy."""
    token = _of_page.set(policy)
    try:
        yield
    finally:
        _of_page.reset(token)


def permits() -> Permits | None:
    """The attempt's permits; None in a process that no site started."""
    return _of_process[0] if _of_process else None


def current() -> Policy | None:
    """The policy that reading is judged by now."""
    of_attempt = permits()
    return _of_page.get() or (of_attempt.policy if of_attempt else None)


def opened(path: Path, purpose: Purpose) -> BinaryIO:
    """The regular file, open for reading. Raises OSError; a refusal is a PermissionError with the reason."""
    policy = current()
    try:
        if policy is not None:
            return open_file(policy, os.path.abspath(path), purpose)
        return regular(os.open(path, FILE), str(path))
    except Refused as refused:
        raise PermissionError(errno.EACCES, str(refused).rstrip("."), str(path)) from refused


def read_bytes(path: Path, purpose: Purpose) -> bytes:
    """As `opened`."""
    with opened(path, purpose) as file:
        return file.read()


def may_follow(path: str) -> bool:
    """Whether a link in a folder of pictures may be followed."""
    policy = current()
    return policy is None or policy.allows(path, Purpose.READ_PICTURES)


def may_replace(path: Path) -> bool:
    """Whether an existing file or folder at a destination may be replaced: an earlier model of this site."""
    of_attempt = permits()
    return of_attempt is None or of_attempt.may_replace(path)


def may_clear(path: Path) -> bool:
    """Whether a half-written file beside a destination may be removed: an earlier attempt of the run left it."""
    of_attempt = permits()
    return of_attempt is None or of_attempt.may_clear(path)
