"""Open a file or folder below a folder without following any link, so that nobody can swap one in between.

The kernel's `openat2` does it in one step; where it is missing or forbidden, each folder on the way is opened below the
one before it, by its descriptor.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
from collections.abc import Sequence

SYS_OPENAT2 = 437  # the same number on every architecture
NO_MAGICLINKS, NO_SYMLINKS, BENEATH = 0x02, 0x04, 0x08  # include/uapi/linux/openat2.h
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
MISSING = (errno.ENOSYS, errno.EPERM, errno.EINVAL)  # an old kernel; a container that forbids the call


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_below(folder: int, parts: Sequence[str], flags: int) -> int:
    """A descriptor of the file or folder at these names below an open folder; none of them may be a link.

    Raises OSError: ELOOP or ENOTDIR for a link on the way, ENOENT for a missing name.
    """
    _refuse_other_names(parts)
    if has_openat2():
        return openat2(folder, "/".join(parts) or ".", flags, BENEATH | NO_SYMLINKS | NO_MAGICLINKS)
    return walk(folder, parts, flags)


def open_root(path: str) -> int:
    """A descriptor of a folder by its real path, which is opened from the root down without following links."""
    top = os.open("/", FOLDER)
    try:
        return open_below(top, [part for part in path.split("/") if part], FOLDER)
    finally:
        os.close(top)


def walk(folder: int, parts: Sequence[str], flags: int) -> int:
    """As `open_below`, one name after the other."""
    _refuse_other_names(parts)
    here = os.open(".", FOLDER, dir_fd=folder)
    try:
        for part in parts[:-1]:
            deeper = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = deeper
        return _open_last(parts[-1] if parts else ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, here)
    finally:
        os.close(here)


def _open_last(name: str, flags: int, folder: int) -> int:
    """With O_PATH the kernel would open a link itself instead of refusing it."""
    descriptor = os.open(name, flags, dir_fd=folder)
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return descriptor


def _refuse_other_names(parts: Sequence[str]) -> None:
    if any(part in ("", ".", "..") or "/" in part or "\x00" in part for part in parts):
        raise OSError(errno.EINVAL, "not a plain name", "/".join(parts))


@functools.cache
def has_openat2() -> bool:
    """Whether this process may use the system call."""
    try:
        os.close(openat2(None, "/", FOLDER, NO_MAGICLINKS))
    except OSError as error:
        if error.errno in MISSING:
            return False
        raise
    return True


def openat2(folder: int | None, path: str, flags: int, resolve: int) -> int:
    """The system call itself; with None the path is absolute. Raises OSError."""
    library = _library()
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    at = -100 if folder is None else folder  # AT_FDCWD
    descriptor: int = library.syscall(SYS_OPENAT2, at, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return descriptor


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
