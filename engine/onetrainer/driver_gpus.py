"""A training on several GPUs: a port of its own, and additional processes that live and die with the first process.

OneTrainer has torch start a process for each additional GPU; the first process reports, takes commands and writes.
"""

import multiprocessing
import os
import signal
import socket
import threading

from engine.interface.errors import TrainingError

LOOK_SECONDS = 1.0
DIED = (
    "The process of another GPU ended early (exit status {code}), most likely because it ran out of memory (see the "
    "log): lower batch_size or resolution, or train on fewer GPUs."
)


class AdditionalProcesses:
    """The additional processes of this process; if one dies, the first process would wait for it without end."""

    def __init__(self, reporter):
        self._reporter = reporter
        self._over = threading.Event()

    def expect(self):
        """Reserve a port, because two trainings on one machine need two, and watch for processes that die."""
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
        """After a failure they wait for the first process, and Python would wait for them at its end."""
        self._over.set()
        for child in multiprocessing.active_children():
            child.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def become_additional_process():
    """Stops are for the first process, which passes them on.

    An additional process ends with the first process by SIGINT, which torch has the kernel send, and which the first
    process ignores.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
