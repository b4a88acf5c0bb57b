"""One process of the site: tied to its parent's life, with logged output, and restarted when it dies."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from engine import leash
from worker.clock import CLOCK, Clock

LOG_BYTES = 10_000_000
LOG_FILES = 5  # older logs that are kept
FIRST_DELAY = 0.5  # seconds; doubled with each death
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60  # seconds of life after which a restart has the first delay again


def rotating_log(path: Path, most_bytes: int = LOG_BYTES) -> RotatingFileHandler:
    """A log file that never grows beyond `most_bytes`, with LOG_FILES older ones next to it."""
    return RotatingFileHandler(path, maxBytes=most_bytes, backupCount=LOG_FILES, encoding="utf-8", errors="replace")


def leashed(command: Sequence[str]) -> list[str]:
    """The command, changed so that the kernel kills it when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]


class Part:
    """A process that belongs to the site.

    It has its own session, so that a terminal's Ctrl-C reaches only the supervisor, and the kernel kills it when the
    supervisor dies.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        cwd: Path,
        environment: Mapping[str, str],
        *,
        pass_fds: Sequence[int] = (),
        log_bytes: int = LOG_BYTES,
        clock: Clock = CLOCK,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.cwd = cwd
        self.environment = dict(environment)
        self.pass_fds = tuple(pass_fds)
        self._clock = clock
        self._handler = rotating_log(log, log_bytes)
        self._process: subprocess.Popen[str] | None = None
        self._delay = FIRST_DELAY
        self._started_at = 0.0
        self._start_again_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process. Call this from the main thread: the kernel kills the process when that thread ends."""
        self._process = subprocess.Popen(
            leashed(self.command),
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=self.pass_fds,
        )
        self._started_at, self._start_again_at = self._clock.monotonic(), None
        threading.Thread(target=self._keep_log, args=(self._process.stdout,), daemon=True).start()

    def look_after(self) -> str | None:
        """Notice a death, and restart when it is time; return a sentence about it."""
        if self.alive:
            return None
        if self._start_again_at is None:
            return self._plan_new_start()
        if self._clock.monotonic() < self._start_again_at:
            return None
        self.start()
        return f"started again, process {self.pid}"

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def end(self, grace: float) -> None:
        """Request its end, kill it after `grace` seconds, and reap it."""
        self.terminate()
        if self._process is None:
            return
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def how_it_ended(self) -> str:
        code = self._process.returncode if self._process else None
        return f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with status {code}"

    def _plan_new_start(self) -> str:
        if self._clock.monotonic() - self._started_at > STEADY_SECONDS:
            self._delay = FIRST_DELAY
        self._start_again_at = self._clock.monotonic() + self._delay
        sentence = f"{self.how_it_ended()}; starting it again in {self._delay:g} s (see {self.log})"
        self._delay = min(LONGEST_DELAY, self._delay * 2)
        return sentence

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing if it has ended

    def _keep_log(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._handler.handle(logging.makeLogRecord({"msg": line.rstrip("\n")}))
