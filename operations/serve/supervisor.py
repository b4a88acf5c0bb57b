"""The supervisor: keeps the site's processes alive, and ends them together.

The first signal lets a running training write a backup and end; the second ends everything at once. Web and Redis
stay until the workers have ended, so that the pages show how the training stops.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connections

from engine.launcher import EngineProcess
from operations.serve.part import Part, rotating_log
from training.models import Run

TICK = 0.2  # seconds between two looks at the parts
PART_GRACE = 10  # seconds that web and Redis have to end
SAME_SIGNAL = 0.3  # seconds; a terminal, make and a service manager may each pass on one and the same signal
AT_ONCE_GRACE = 5  # seconds that a worker has to save that its run was killed


class Console:
    """Prints to the terminal and to serve.log."""

    def __init__(self, log: Path, write: Callable[[str], object]) -> None:
        self._write = write
        self._handler = rotating_log(log)
        self._handler.setFormatter(logging.Formatter("{asctime} {message}", style="{"))

    def say(self, part: str, sentence: str) -> None:
        self.line(f"{part:<12} {sentence}")

    def line(self, text: str = "", log: bool = True) -> None:
        if log and text:
            self._handler.handle(logging.makeLogRecord({"msg": text}))
        try:
            self._write(text)
        except OSError:
            self._write = lambda text: None  # the terminal is gone; the log continues


class Supervisor:
    """Starts parts, watches them, and ends them in an order that loses nothing."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.workers: list[Part] = []
        self.worker_names: list[str] = []  # as in the database
        self.others: list[Part] = []  # in the order of their start
        self._signals = 0
        self._signal_at = -math.inf
        self._woken = threading.Event()
        self._ending_engines: list[EngineProcess] = []

    @property
    def stopping(self) -> bool:
        return self._signals > 0

    def listen_to_signals(self) -> None:
        """SIGHUP (a closed terminal) counts as well, unless `nohup` made the process ignore it."""
        signal.signal(signal.SIGINT, self._note_signal)
        signal.signal(signal.SIGTERM, self._note_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note_signal)

    def start(self, part: Part) -> None:
        self._start(part, self.others)

    def start_worker(self, part: Part, name: str) -> None:
        """Start a worker, whose name in the database is `name`."""
        self.worker_names.append(name)
        self._start(part, self.workers)

    def _start(self, part: Part, group: list[Part]) -> None:
        if not self.stopping:
            part.start()
            group.append(part)
            self.console.say(part.name, f"started, process {part.pid}")

    def watch(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Keep all parts alive until the condition holds (True) or a signal came (False)."""
        while not self.stopping:
            if until():
                return True
            self._tick([*self.others, *self.workers])
        return False

    def shut_down(self) -> None:
        """End everything; no process stays, whatever happens."""
        try:
            self._end_workers()
            self._end_engines()
        finally:
            for part in reversed(self.others):
                part.end(PART_GRACE)

    def _note_signal(self, number: int, frame: object) -> None:
        if time.monotonic() - self._signal_at < SAME_SIGNAL:
            return
        self._signal_at = time.monotonic()
        self._signals += 1
        self._woken.set()
        if self._signals > 1:
            for engine in self._ending_engines:
                engine.kill()

    def _tick(self, parts: list[Part]) -> None:
        for part in parts:
            if sentence := part.look_after():
                self.console.say(part.name, sentence)
        self._woken.wait(TICK)

    def _end_workers(self) -> None:
        """The workers first, because each may have a training to end."""
        if any(worker.alive for worker in self.workers):
            self.console.line("Stopping. A running training writes a backup first; press Ctrl-C again to end at once.")
        for worker in self.workers:
            worker.terminate()
        while self._signals < 2 and any(worker.alive for worker in self.workers):
            self._woken.clear()
            self._tick(self.others)
        if any(worker.alive for worker in self.workers):
            self.console.line("Ending at once.")
        deadline = time.monotonic() + AT_ONCE_GRACE
        for worker in self.workers:
            worker.end(max(0.0, deadline - time.monotonic()))

    def _end_engines(self) -> None:
        """A training whose worker is dead must be ended here."""
        self._ending_engines = self._engines_left()
        for engine in self._ending_engines:
            engine.end(settings.STOP_GRACE_SECONDS if self._signals < 2 else 0)

    def _engines_left(self) -> list[EngineProcess]:
        try:
            runs = list(Run.objects.active().filter(worker__name__in=self.worker_names))
        except DatabaseError as error:
            self.console.line(f"The database is away, so a training may still be running: {error}")
            return []
        finally:
            connections.close_all()
        found = [EngineProcess.find(run.attempt_folder) for run in runs]
        return [engine for engine in found if engine is not None]
