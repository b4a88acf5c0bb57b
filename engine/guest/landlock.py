"""Landlock: Linux's calls by which a process gives up its access to files for good, it and all that it starts.

landlock(7) describes them. The calls have no function in the C library, so they are made by their numbers, which are
the same on all of Linux's current architectures.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1  # flag of CREATE_RULESET
PATH_BENEATH = 1  # the kind of a rule
SET_NO_NEW_PRIVS = 38  # of prctl(2)

# What a rule may allow, in the order of the kernel's bits.
RIGHTS = (
    *("execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir"),
    *("make_reg", "make_sock", "make_fifo", "make_block", "make_sym", "refer", "truncate", "ioctl_dev"),
)


def _rights(*names: str) -> int:
    return sum(1 << RIGHTS.index(name) for name in names)


READ = _rights("read_file", "read_dir")
RUN = READ | _rights("execute")
# Neither device files nor programs: what an engine writes, it cannot start.
WRITE = READ | _rights(
    *("write_file", "remove_dir", "remove_file", "make_dir", "make_reg", "make_sock", "make_fifo", "make_sym"),
    *("refer", "truncate", "ioctl_dev"),
)
OF_A_FILE = _rights("execute", "write_file", "read_file", "truncate", "ioctl_dev")
BITS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many of the rights each version knows; later ones know all
OUTSIDE_SOCKETS, OUTSIDE_SIGNALS = 1, 2  # since version 6: abstract sockets and signals of other processes


class Unavailable(OSError):
    """The kernel does not limit this process; the message says why."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's Landlock. Raises Unavailable."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("this system is not Linux")
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def restrict(rules: Iterable[tuple[str, int]]) -> int:
    """Let this thread, and all that it starts from now on, reach only these paths, with rights to everything below.

    The paths have no links in them; a path that does not exist is left out. Returns Landlock's version. Raises
    Unavailable; nothing is limited then.
    """
    found = version()
    handled = (1 << BITS.get(found, 16)) - 1
    scoped = OUTSIDE_SOCKETS | OUTSIDE_SIGNALS if found >= 6 else 0
    attributes = _Ruleset(handled, 0, scoped)
    ruleset = _call(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(_size(found)), ctypes.c_uint32(0))
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        give_up_privileges()
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return found


def give_up_privileges() -> None:
    """No program that this process starts gains rights by its file (setuid). Raises Unavailable."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))) != 0:
        raise Unavailable(os.strerror(ctypes.get_errno()))


def threads() -> int:
    """How many threads this process has: the call limits only its caller."""
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else 1


def _size(found: int) -> int:
    """The bytes of the attributes that this version knows."""
    return 8 if found < 4 else 16 if found < 6 else 24


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it does not exist, so there is nothing to reach
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(kind):
            return  # links were resolved before: somebody has put this one there since
        if not stat.S_ISDIR(kind):
            rights &= OF_A_FILE
        rule = _Beneath(rights, descriptor)
        _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    result = int(library.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise Unavailable(_reason(ctypes.get_errno()))
    return result


def _reason(number: int) -> str:
    if number == errno.ENOSYS:
        return "this kernel has no Landlock, which Linux has since 5.13"
    if number == errno.EOPNOTSUPP:
        return "Landlock is switched off in this kernel: add landlock to lsm= on its command line"
    if number == errno.EPERM:
        return "a container's filter of system calls does not allow Landlock"
    return f"the kernel refused it: {os.strerror(number)}"
