"""Where the site runs as root, an engine process keeps only the rights that a training needs."""

from __future__ import annotations

import ctypes
import os

VERSION = 0x20080522  # of the structures, capset(2)
DROP_BOUND = 24  # of prctl(2): a right that no program started later can have
LAST = 63
# To read and write files of other users, and to set priorities and limits: chown, dac_override, dac_read_search,
# fowner, fsetid, ipc_lock, sys_nice, sys_resource.
KEPT = (0, 1, 2, 3, 4, 14, 23, 24)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop() -> None:
    """Give up all other capabilities for good; without effect for other users than root. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    for right in range(LAST + 1):
        if right not in KEPT:
            library.prctl(DROP_BOUND, *(ctypes.c_ulong(value) for value in (right, 0, 0, 0)))  # unknown to old kernels
    header, rights = _Header(VERSION, 0), (_Rights * 2)()
    _check(library.capget(ctypes.byref(header), rights))
    kept = sum(1 << right for right in KEPT)
    for number, held in enumerate(rights):
        allowed = (kept >> (32 * number)) & 0xFFFFFFFF
        for name, _kind in _Rights._fields_:
            setattr(held, name, getattr(held, name) & allowed)
    _check(library.capset(ctypes.byref(header), rights))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
