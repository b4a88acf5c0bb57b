"""A training on several GPUs: a port of its own, and further processes that live and die with the first one.

OneTrainer has torch start a process for each further GPU; the first one reports, takes commands and writes.
"""

import multiprocessing
import os
import signal
import socket
import threading

from engine.interface.errors import TrainingError

LOOK_SECONDS = 1.0
DIED = (
    "The process of another GPU ended early (exit status {code}), most likely for want of memory: the log says more. "
    "Lower batch_size or resolution, or train on fewer GPUs."
)


class FurtherProcesses:
    """Those of this process; where one dies, the first one would wait for it without end."""

    def __init__(self, reporter):
        self._reporter = reporter
        self._over = threading.Event()

    def expect(self):
        """Take a port to meet at, as two trainings on one machine need two, and watch who dies."""
        os.environ["MASTER_PORT"] = str(free_port())
        threading.Thread(target=self._watch, daemon=True, name="further_processes").start()

    def _watch(self):
        seen = set()
        while not self._over.wait(LOOK_SECONDS):
            seen.update(multiprocessing.active_children())
            died = [child.exitcode for child in seen if child.exitcode]
            if died and not self._over.is_set():
                self.end()
                self._reporter.give_up(TrainingError(DIED.format(code=died[0])))

    def end(self):
        """After a failure they wait for the first one, for which Python would wait in turn at its end."""
        self._over.set()
        for child in multiprocessing.active_children():
            child.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def become_further_process():
    """Stops are for the first process, which tells the others.

    One of these ends with the first one by SIGINT, which torch has the kernel send, and which that one ignores itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
