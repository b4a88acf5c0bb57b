"""EngineProcess: start an engine process, find it again, command it, end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from engine.interface.commands import Command
from engine.interface.control import ControlClient

PROCESS_FILE = "process.json"
SPEC_FILE = "spec.json"
LOG_FILE = "engine.log"
PRIVATE = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")  # the site's, and of no use to who trains or checks
SAME_START = 0.05  # seconds; the kernel counts a process's start in hundredths


def child_environment() -> dict[str, str]:
    """What a process that is started here inherits: this one's environment without the site's keys and addresses."""
    return {name: value for name, value in os.environ.items() if name not in PRIVATE}


@dataclass(frozen=True)
class Identity:
    """Which process it is: a pid alone may be somebody else's after a while."""

    pid: int
    started: float  # seconds after the boot: a clock that is set meanwhile does not make it another process
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid, _started(psutil.Process(pid)), _boot())

    def process(self) -> psutil.Process | None:
        """The living process, or None; one that only waits to be reaped does not live."""
        try:
            process = psutil.Process(self.pid)
            same = self.boot == _boot() and abs(_started(process) - self.started) < SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class EngineProcess:
    """One attempt's engine process, in a session of its own, so that nobody's end ends it."""

    def __init__(self, folder: Path, identity: Identity, child: subprocess.Popen[bytes] | None = None):
        self.folder = folder
        self.identity = identity
        self._child = child
        self._control: ControlClient | None = None

    @classmethod
    def start(
        cls, folder: Path, spec: Mapping[str, Any], command: list[str], cwd: Path, environment: Mapping[str, str]
    ) -> EngineProcess:
        """Write the spec into the attempt's folder, and start the command with stdout and stderr into its log."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC_FILE, dict(spec))
        with (folder / LOG_FILE).open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        identity = Identity.of(child.pid)
        write_json(folder / PROCESS_FILE, asdict(identity))
        return cls(folder, identity, child)

    @classmethod
    def find(cls, folder: Path) -> EngineProcess | None:
        """The attempt's process if it still lives, whoever started it."""
        try:
            identity = Identity(**json.loads((folder / PROCESS_FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return cls._find_unwritten(folder)
        found = cls(folder, identity)
        return found if found.alive else None

    @classmethod
    def _find_unwritten(cls, folder: Path) -> EngineProcess | None:
        """One whose starter was killed before it could note it: it has the attempt's folder as an argument."""
        if not (folder / SPEC_FILE).exists():
            return None
        for process in psutil.process_iter(["cmdline"]):
            if str(folder) in (process.info["cmdline"] or [])[1:]:
                with suppress(psutil.NoSuchProcess):
                    identity = Identity.of(process.pid)
                    write_json(folder / PROCESS_FILE, asdict(identity))
                    return cls(folder, identity)
        return None

    @classmethod
    def find_all(cls, runs: Path) -> Iterator[EngineProcess]:
        """Every living engine process below a folder of runs."""
        for file in runs.glob(f"*/attempts/*/{PROCESS_FILE}"):
            if found := cls.find(file.parent):
                yield found

    @property
    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None  # also reaps it
        return self.identity.process() is not None

    @property
    def exit_code(self) -> int | None:
        """The exit status where this process is our child and has ended; negative for a signal."""
        return self._child.poll() if self._child is not None else None

    def send(self, command: Command) -> bool:
        """Hand the command over; False where the process does not listen (yet, or any more)."""
        try:
            self._connected().send(command)
        except (OSError, EOFError, ValueError):
            self._disconnect()
            return False
        return True

    def wait_for_news(self, timeout: float) -> None:
        """Return when the journal has grown, or after `timeout` seconds."""
        try:
            self._connected().wait_for_news(timeout)
        except (OSError, EOFError, ValueError):
            self._disconnect()
            time.sleep(min(timeout, 0.1))  # not listening yet, or just gone: look again soon

    def end(self, grace: float) -> bool:
        """Ask for an end by SIGTERM and wait `grace` seconds; then kill. True where asking was enough."""
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        asked_was_enough = not self.alive
        self.kill()
        return asked_was_enough

    def kill(self) -> None:
        """Kill the whole process group: data loaders and other children of the engine too."""
        self._signal_group(signal.SIGKILL)
        while self.alive:
            time.sleep(0.01)
        self._disconnect()

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.identity.pid, number)
        except ProcessLookupError:
            return  # everybody in the group has ended already

    def _connected(self) -> ControlClient:
        if self._control is None:
            self._control = ControlClient(self.folder)
        return self._control

    def _disconnect(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def _started(process: psutil.Process) -> float:
    """Seconds between the boot and the process's start."""
    return process.create_time() - psutil.boot_time()


def _boot() -> str:
    """What tells this boot of the machine from others."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else ""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write beside and rename, so that nobody reads half a file."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)
