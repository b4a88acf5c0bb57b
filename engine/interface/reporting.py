"""From a trainer's callbacks to journal events: shared by the processes of both engines."""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.interface import fence
from engine.interface.callbacks import SampleOutput, TrainCallbacks
from engine.interface.commands import Command, TrainCommands
from engine.interface.confinement import Confinement
from engine.interface.control import ControlServer
from engine.interface.errors import DiskFull, OutOfMainMemory, TrainingError
from engine.interface.files import FULL
from engine.interface.gpu_readings import GpuReadings, ReadMetrics, no_metrics
from engine.interface.journal import FILE_NAME, JournalWriter
from engine.interface.progress import TrainProgress

logger = logging.getLogger("engine")
LOSS_SECONDS = 10.0  # how often the log, which people read, shows the loss; the journal holds every step's
PHASE_SECONDS = 0.5  # between two reports of a phase's progress
FATAL_FILE = "fatal.txt"  # where Python writes its tracebacks when a signal such as SIGSEGV ends it
LAST_WORD_SECONDS = 60.0  # how long the last event waits for space on a full disk


class Reporter:
    """One attempt's reporter: writes its journal, and takes commands from its control channel."""

    def __init__(self, folder: Path, read_gpu: ReadMetrics = no_metrics) -> None:
        self.commands = TrainCommands()
        self._control = ControlServer(folder, self.commands, self._refused_unread)
        self._journal = JournalWriter(folder / FILE_NAME, self._control.wake)
        self._lock = fence.hold(folder)
        self._fatal = (folder / FATAL_FILE).open("w")  # stays open: a dying process cannot open files any more
        self.readings = GpuReadings(read_gpu)
        self._last_status = ""
        self._loss_logged_at = -LOSS_SECONDS
        self._phase_told_at = -PHASE_SECONDS

    def start(self, confinement: Confinement | None = None) -> None:
        """Begin to report; a confinement that does not hold although it was requested is a warning of the run."""
        print_despite_full_disk()
        self._control.start()
        faulthandler.enable(self._fatal)
        self.readings.start()
        signal.signal(signal.SIGTERM, lambda number, frame: self.commands.stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the site, which then requests a stop
        self._journal.append("started", {"pid": os.getpid(), "python": platform.python_version()})
        if confinement is not None:
            self._tell(confinement)

    def _tell(self, confinement: Confinement) -> None:
        if confinement.is_a_failure:
            self._warning(confinement.sentence)
        else:
            logger.info("%s", confinement.sentence)

    def callbacks(self) -> TrainCallbacks:
        return TrainCallbacks(
            on_update_train_progress=self._progress,
            on_update_status=self._status,
            on_phase_progress=self._phase_progress,
            on_phase=lambda phase: self._journal.append("phase", {"phase": phase}),
            on_metrics=self._metrics,
            on_sample_default=self._sample,
            on_sample_custom=self._sample,
            on_update_sample_default_progress=self._sample_progress("default"),
            on_update_sample_custom_progress=self._sample_progress("custom"),
            on_artifact=self._artifact,
            on_removed=self._removed,
            on_warning=self._warning,
            on_command_done=self._command_done,
            on_command_refused=self._command_refused,
        )

    def run(self, train: Callable[[], str]) -> int:
        """Do the whole training and report its end; `train` returns `finished` or `stopped`. Returns the status."""
        status = self._run(train)
        self.readings.stop()
        self._journal.drain(LAST_WORD_SECONDS)
        return status

    def give_up(self, error: TrainingError) -> None:
        """End this process with that reason, from another thread, because the training thread hangs."""
        self._fail(str(error), error.reason)
        self._journal.drain(LAST_WORD_SECONDS)
        os._exit(1)

    def _run(self, train: Callable[[], str]) -> int:
        try:
            ending = train()
        except TrainingError as error:
            self._fail(str(error), error.reason, traceback.format_exc() if error.shows_traceback else "")
            return 1
        except BaseException as error:
            sentence, reason = surprise(error)
            self._fail(sentence, reason, traceback.format_exc())
            return 2
        self._journal.append("ended", {"reason": ending})
        return 0

    def _fail(self, sentence: str, reason: str, trace: str = "") -> None:
        self._journal.append("failed", {"message": sentence, "reason": reason, "traceback": trace})
        with suppress(OSError):  # the disk may be full: the journal is the file that counts
            print(trace or f"ERROR: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  stderr is the run's log

    def _progress(self, progress: TrainProgress, max_step: int, max_epoch: int) -> None:
        self._journal.append("progress", {**progress.to_dict(), "max_step": max_step, "max_epoch": max_epoch})

    def _phase_progress(self, phase: str, current: int, total: int) -> None:
        """A few times a second: a cache with thousands of pictures must not fill the journal."""
        if current < total and time.monotonic() - self._phase_told_at < PHASE_SECONDS:
            return
        self._phase_told_at = time.monotonic()
        self._journal.append("phase_progress", {"phase": phase, "current": current, "total": total})

    def _status(self, status: str) -> None:
        if status != self._last_status:
            self._last_status = status
            self._journal.append("status", {"text": status})
            logger.info("%s", status)

    def _metrics(self, step: int, values: dict[str, float]) -> None:
        self._journal.append("metrics", {"step": step, "values": {**values, **self.readings.take()}})
        if "loss" in values and time.monotonic() - self._loss_logged_at >= LOSS_SECONDS:
            self._loss_logged_at = time.monotonic()
            logger.info("step %d: loss %.4g", step, values["loss"])

    def _warning(self, message: str, detail: str = "") -> None:
        self._journal.append("warning", {"message": message, "detail": detail})
        logger.warning("%s", message)

    def _sample(self, output: SampleOutput) -> None:
        self._journal.append("sample", output.to_dict())

    def _sample_progress(self, kind: str) -> Callable[..., None]:
        def report(step: int, total: int, preview: str = "") -> None:
            facts = {"path": preview} if preview else {}
            self._journal.append("sample_progress", {"kind": kind, "current": step, "total": total, **facts})

        return report

    def _artifact(self, kind: str, path: str | Path, progress: TrainProgress, **facts: object) -> None:
        self._journal.append("artifact", {"kind": kind, "path": str(path), **progress.to_dict(), **facts})
        logger.info("wrote the %s %s", kind, path)

    def _removed(self, path: str | Path, why: str) -> None:
        self._journal.append("removed", {"path": str(path), "why": why})
        logger.info("removed %s: %s", path, why)

    def _command_done(self, command: Command, detail: str = "") -> None:
        if command.id:
            self._journal.append("command_done", {"id": command.id, "detail": detail})

    def _refused_unread(self, key: str, reason: str) -> None:
        self._journal.append("command_refused", {"id": key, "detail": reason})

    def _command_refused(self, command: Command, reason: str) -> None:
        if command.id:
            self._journal.append("command_refused", {"id": command.id, "detail": reason})


class Forgiving(io.RawIOBase):
    """A descriptor that can always be printed to: log lines that a full disk does not take are dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            if error.errno not in FULL:
                raise
        return size


def print_despite_full_disk() -> None:
    """A library's progress bar must not end a training because the log's disk is full."""
    sys.stdout = _forgiving(sys.stdout.fileno())
    sys.stderr = _forgiving(sys.stderr.fileno())
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)


def _forgiving(descriptor: int) -> io.TextIOWrapper:
    raw: Any = Forgiving(descriptor)  # as Python itself does without a buffer
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def surprise(error: BaseException) -> tuple[str, str]:
    """(sentence, reason) of an error that the trainer did not foresee; any line can meet a full disk or memory."""
    if isinstance(error, OSError) and error.errno in FULL:
        return f"The disk is full ({error.filename or 'while writing'}): free some space, then resume.", DiskFull.reason
    if isinstance(error, MemoryError):
        return "The machine ran out of main memory.", OutOfMainMemory.reason
    return f"The trainer failed unexpectedly: {type(error).__name__}: {error}", "crash"
