"""EngineProcess: start an engine process, find it again, command it, end it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from engine.interface.commands import Command
from engine.interface.control import ControlClient
from engine.interface.json_types import JsonObject
from engine.template import MARK, Request
from engine.warm import Template, Unusable

logger = logging.getLogger(__name__)
PROCESS_FILE = "process.json"
SPEC_FILE = "spec.json"
LOG_FILE = "engine.log"
SAME_START = 0.05  # seconds; the kernel counts a process's start in hundredths
KILL_SECONDS = 10.0  # how long a killed process may take to be gone; one that waits for a driver takes longer


@dataclass(frozen=True)
class Identity:
    """Identifies a process: after a while a pid alone may be another process's."""

    pid: int
    started: float  # seconds after the boot: a change of the clock does not make it another process
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid, _started(psutil.Process(pid)), _boot())

    def process(self) -> psutil.Process | None:
        """The living process, or None; a zombie does not live."""
        try:
            process = psutil.Process(self.pid)
            same = self.boot == _boot() and abs(_started(process) - self.started) < SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class ProcessRecord:
    """The attempt folder's record of its process, written at the start of the process."""

    identity: Identity
    oom_kills: int = 0
    host: str = field(default_factory=lambda: _host())

    @classmethod
    def read(cls, folder: Path) -> ProcessRecord | None:
        """None if there is no record, or no readable one."""
        try:
            noted = json.loads((folder / PROCESS_FILE).read_text())
            identity = Identity(noted["pid"], noted["started"], noted["boot"])
            return cls(identity, noted.get("oom_kills", 0), noted.get("host", _host()))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, folder: Path) -> None:
        write_json(folder / PROCESS_FILE, {**asdict(self.identity), "oom_kills": self.oom_kills, "host": self.host})

    @property
    def is_of_this_boot(self) -> bool:
        return self.identity.boot == _boot()

    @property
    def is_of_this_host(self) -> bool:
        return self.host == _host()


class EngineProcess:
    """One attempt's engine process, in a session of its own, so that no other process's end ends it."""

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        child: subprocess.Popen[bytes] | None = None,
        template: Template | None = None,
    ) -> None:
        self.folder = folder
        self.identity = identity
        self._child = child
        self._template = template  # it was forked from this template, and is its child
        self._control: ControlClient | None = None
        self.killed: set[int] = set()
        self.connections = 0  # how often a connection was made: messages sent before may not have been read

    @classmethod
    def start(
        cls,
        folder: Path,
        spec: Mapping[str, object],
        command: list[str],
        cwd: Path,
        environment: Mapping[str, str],
        template: Template | None = None,
    ) -> EngineProcess:
        """Write the spec into the attempt's folder, and start the command with stdout and stderr into its log.

        With a template it is a fork of the template; without one, or if the fork fails, a fresh process.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC_FILE, dict(spec))
        killed_before = oom_kills()
        request = Request(command, str(cwd), {**environment, MARK: str(folder)}, str(folder / LOG_FILE))
        process = cls._fork(folder, request, template) or cls._spawn(folder, request)
        ProcessRecord(process.identity, killed_before).write(folder)
        return process

    @classmethod
    def _fork(cls, folder: Path, request: Request, template: Template | None) -> EngineProcess | None:
        if template is None:
            return None
        try:
            pid, started = template.fork(request)
        except Unusable as error:
            logger.warning("The attempt in %s starts in a fresh interpreter instead of a fork: %s", folder, error)
            template.end()  # this also ends a fork that has no mark yet, and cannot report that it is ready
            kill_all_of(folder)
            return None
        return cls(folder, Identity(pid, started, _boot()), template=template)

    @classmethod
    def _spawn(cls, folder: Path, request: Request) -> EngineProcess:
        with Path(request.log).open("ab") as log:
            child = subprocess.Popen(
                request.command,
                cwd=request.cwd,
                env=request.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return cls(folder, Identity.of(child.pid), child)

    @classmethod
    def find(cls, folder: Path) -> EngineProcess | None:
        """The attempt's process if it still lives, no matter which process started it."""
        start = ProcessRecord.read(folder)
        if start is None:
            return cls._find_unwritten(folder)
        found = cls(folder, start.identity)
        return found if found.alive else None

    @classmethod
    def _find_unwritten(cls, folder: Path) -> EngineProcess | None:
        """A process whose starter was killed before it wrote the record: it has the attempt's folder as an argument."""
        if not (folder / SPEC_FILE).exists():
            return None
        for process in psutil.process_iter(["cmdline"]):
            if str(folder) in (process.info["cmdline"] or [])[1:]:
                with suppress(psutil.NoSuchProcess):
                    identity = Identity.of(process.pid)
                    ProcessRecord(identity, oom_kills()).write(folder)
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
    def is_suspended(self) -> bool:
        """True if the process lives, but was stopped by a signal."""
        process = self.identity.process()
        try:
            return process is not None and process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    @property
    def exit_code(self) -> int | None:
        """The exit status if this process is our or our template's child and has ended; negative for a signal."""
        if self._template is not None:
            return None if self.alive else self._template.exit_status(self.identity.pid)
        return self._child.poll() if self._child is not None else None

    def send(self, command: Command) -> bool:
        """Send the command; False if the process does not listen (yet, or any more)."""
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
            time.sleep(min(timeout, 0.1))  # not listening yet, or just gone: try again soon

    def end(self, grace: float) -> bool:
        """Request an end by SIGTERM and wait `grace` seconds; then kill. True if the request was enough."""
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        asked_was_enough = not self.alive
        self.kill()
        return asked_was_enough

    def kill(self, seconds: float = KILL_SECONDS) -> bool:
        """Kill the process and all that it started, even outside its group; return whether it is gone.

        A process that waits within the kernel, for a driver or a file server, is gone only when that wait ends.
        """
        deadline = time.monotonic() + seconds
        self._signal_group(signal.SIGKILL)
        left = kill_all_of(self.folder)
        while (self.alive or left) and time.monotonic() < deadline:
            self.killed.update(left)
            time.sleep(0.01)
            left = kill_all_of(self.folder)
        self._disconnect()
        return not self.alive

    def _signal_group(self, number: int) -> None:
        """Only while its leader lives: later the number may be another group's."""
        if not self.alive:
            return
        try:
            os.killpg(self.identity.pid, number)
        except ProcessLookupError:
            return  # all processes of the group have ended by now

    def _connected(self) -> ControlClient:
        if self._control is None:
            self._control = ControlClient(self.folder)
            self.connections += 1
        return self._control

    def _disconnect(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def kill_all_of(folder: Path) -> list[int]:
    """Kill each process of the attempt in this folder, and return the numbers of the killed processes.

    Data loaders and the processes of additional GPUs have inherited the mark, whichever group they are in.
    """
    killed = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                killed.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended by now, or another user's process, which is not ours
    return killed


def oom_kills(counters: Iterable[Path] = ()) -> int:
    """How many processes of this control group the kernel has killed for lack of memory; 0 if it does not report it."""
    for file in counters or _memory_events():
        try:
            lines = dict(line.split() for line in file.read_text().splitlines())
            return int(lines["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue  # another version of control groups, or none
    return 0


def _memory_events() -> list[Path]:
    """The file of this process's group, of either version; a container sees its own as the root."""
    root, old = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
    try:
        text = Path("/proc/self/cgroup").read_text()
    except OSError:
        text = ""
    groups = dict(line.split(":", 2)[1:] for line in text.splitlines())
    group, old_group = (groups.get(name, "/").lstrip("/") for name in ("", "memory"))
    new = [root / group / "memory.events", root / "memory.events"]
    return [*new, old / old_group / "memory.oom_control", old / "memory.oom_control"]


def _started(process: psutil.Process) -> float:
    """Seconds between the boot and the process's start."""
    return process.create_time() - psutil.boot_time()


def _host() -> str:
    """The name of this machine; a container's own name changes with each start."""
    return os.environ.get("HOST_NAME") or socket.gethostname()


def _boot() -> str:
    """A value that identifies this boot of the machine."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else ""


def write_json(path: Path, content: JsonObject) -> None:
    """Write beside and rename, so that nobody reads half a file."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)
