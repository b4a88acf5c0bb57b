"""Why an engine process ended without reporting its end, as far as that can be known."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from engine.interface.reporting import FATAL_FILE
from engine.launcher import SPEC_FILE, EngineProcess, ProcessRecord, oom_kills

CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS}
TRACE_CHARACTERS = 20_000


@dataclass(frozen=True)
class Cause:
    """A reason of `training.progress.endings`, the sentence for the user, and the traceback, if known."""

    reason: str
    sentence: str
    trace: str = ""


def look_into(folder: Path, process: EngineProcess | None) -> Cause:
    """The reason for the end of the attempt in this folder; `process` knows its exit status if it was a child.

    The exit status of a process that another worker started is unknown. Its crash output, the machine's boot id and the
    kernel's count of out-of-memory kills are used instead.
    """
    if not (folder / SPEC_FILE).exists():
        return Cause("interrupted", "The training process never started.")
    code = process.exit_code if process else None
    trace = _fatal_trace(folder)
    start = ProcessRecord.read(folder)
    if trace or (code is not None and -code in CRASHES):
        how = signal.Signals(-code).name if code is not None and code < 0 else trace.partition("\n")[0]
        return Cause("crash", f"The trainer crashed in native code ({how}).", trace)
    if code is not None and code >= 0:
        how = f" (exit status {code})" if code else ""
        return Cause("crash" if code else "interrupted", f"The training process ended without a reason{how}.")
    if start is not None and not start.is_of_this_boot and not start.is_of_this_host:
        return Cause(
            "lost_host", f"Its worker's machine {start.host} is unreachable, and another worker takes this run."
        )
    if start is not None and not start.is_of_this_boot:
        return Cause("restarted", "The machine restarted or lost power while this run was training.")
    return _killed(code, start)


def _killed(code: int | None, start: ProcessRecord | None) -> Cause:
    if start is not None and oom_kills() > start.oom_kills:
        return Cause(
            "killed_for_memory", "The kernel killed the training process because the machine ran out of memory."
        )
    if code is not None:
        name = signal.Signals(-code).name
        return Cause("killed", f"The training process was killed from outside ({name}).")
    return Cause("killed", "The training process disappeared without a reason: most likely it was killed from outside.")


def _fatal_trace(folder: Path) -> str:
    """Python's report of a fatal signal such as SIGSEGV: the signal, and the stack of each thread."""
    try:
        return (folder / FATAL_FILE).read_text(errors="replace")[:TRACE_CHARACTERS].strip()
    except FileNotFoundError:
        return ""
