"""Run a command that dies with the process that started it: `python leash.py PARENT_PID COMMAND [ARGUMENT ...]`.

A script rather than a function between fork and exec, because the supervisor has threads, and code between fork and
exec may wait for a lock that another thread held.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2): the signal that this process gets when its parent ends; it survives exec


def main(parent: int, command: list[str]) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before the call above, so the kernel sends no signal any more
        sys.exit("The process that started this one has ended.")
    os.execv(command[0], command)  # nosec B606 # this module exists to start its parent's command


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
