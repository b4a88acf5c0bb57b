"""Who is at the other end of a local socket, as the kernel says: the client cannot lie about it."""

from __future__ import annotations

import os
import socket
import struct
import sys
from multiprocessing.connection import Connection

LOCAL_LEVEL, LOCAL_PEERCRED = 0, 1  # macOS and BSD, <sys/un.h>; not in Python's module
XUCRED_BYTES = 76  # struct xucred: version, user, and the groups


def user_of(connection: Connection) -> int:
    """The user id of the process that connected. Raises OSError."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        return user_behind(same)


def user_behind(opened: socket.socket) -> int:
    if sys.platform.startswith("linux"):
        size = struct.calcsize("3i")
        return int(struct.unpack("3i", opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])
    facts = opened.getsockopt(LOCAL_LEVEL, LOCAL_PEERCRED, XUCRED_BYTES)
    return int(struct.unpack_from("II", facts)[1])
