"""A template: a process that has an engine's libraries imported, and forks each attempt from itself.

`python -m engine.template DESCRIPTOR PACKAGE SPACE`. The descriptor is one end of a pipe to the worker, the package is
one of `engine`, whose `prepare.prepare()` imports the libraries, and the space is blank: a fork writes its own command
line over it.

It ends with its worker, whose end of the pipe is then closed; its forks continue training. Standard library only, until
`prepare()` is called: it also runs in OneTrainer's Python.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

MARK = "ENGINE_ATTEMPT"  # in the environment of an engine process and of all that it starts: the attempt's folder
SPACE = 1024  # bytes that a fork may need for its own command line, and for the mark in its environment
IDLE_SECONDS = 3600.0  # a template without work gives its memory back
GPU_DEVICES = ("/dev/nvidia-uvm", "/dev/kfd")  # CUDA and HIP open them as they start; then no fork can use a GPU
FAILED = 70  # exit status of a fork that could not take on its attempt's identity


@dataclass(frozen=True)
class Request:
    """The process to start: as `subprocess.Popen` takes it, with the log for stdout and stderr."""

    command: list[str]
    cwd: str
    environment: dict[str, str]
    log: str


class Template:
    """Waits for requests and forks; `serve()` returns in each fork too."""

    def __init__(self, worker: Connection) -> None:
        self._worker = worker
        self._forks: dict[int, int] = {}  # the pid of each, by a descriptor that signals its end
        self._files = stamps()
        self._mark = initial_value(MARK)

    def serve(self) -> Request | None:
        """In a fork, the request that it must carry out; None when the template's own work is over."""
        while ready := wait([self._worker, *self._forks], None if self._forks else IDLE_SECONDS):
            for one in ready:
                if isinstance(one, int):
                    self._reap(one)
                elif (request := self._obey()) is not None:
                    return request
        return None

    def _obey(self) -> Request | None:
        message = json.loads(self._worker.recv_bytes())
        if "look" in message:
            self._say(changed=changed(self._files))
            return None
        request = Request(**message)
        return request if self._fork(request) else None

    def _fork(self, request: Request) -> bool:
        """Fork, and report the new process as soon as it has its own session and mark; True in the fork."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._leave_template()
            os.close(reader)
            become(request, self._mark)
            os.write(writer, b"1")
            os.close(writer)
            return True
        os.close(writer)
        ready = os.read(reader, 1)
        os.close(reader)
        self._forks[os.pidfd_open(pid)] = pid
        self._say(**({"pid": pid, "started": started(pid)} if ready else {"failed": pid}))
        return False

    def _leave_template(self) -> None:
        """Only stdin, stdout and stderr stay open, as in a fresh process."""
        self._worker.close()
        for descriptor in self._forks:
            os.close(descriptor)

    def _reap(self, descriptor: int) -> None:
        pid, status = os.waitpid(self._forks.pop(descriptor), 0)
        os.close(descriptor)
        self._say(ended=pid, status=os.waitstatus_to_exitcode(status))

    def _say(self, **message: object) -> None:
        self._worker.send_bytes(json.dumps(message).encode())


# -- in a fork -------------------------------------------------------------------------------------------------------


def become(request: Request, mark: int) -> None:
    """Take on the session, output, environment, folder and name of the attempt; end if that fails."""
    try:
        os.setsid()
        write_to(request.log)
        os.environ.clear()
        os.environ.update(request.environment)
        os.chdir(request.cwd)
        show(request, mark)
        forget_chance()
        tempfile.tempdir = None  # the imports may have looked it up: this attempt's is in its own environment
    except Exception as error:
        os.write(2, f"This fork could not start: {error!r}\n".encode())
        os._exit(FAILED)


def write_to(log: str) -> None:
    """Send stdout and stderr there, after the output of the imports: a fresh interpreter would have printed it too."""
    said = os.pread(1, os.fstat(1).st_size, 0)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(descriptor, said)
    for output in (1, 2):
        os.dup2(descriptor, output)
    os.close(descriptor)


def show(request: Request, mark: int) -> None:
    """Write command line and mark over the template's own: other processes find an engine process by these in /proc."""
    begin, end = argument_area()
    put(begin, end - begin, "\0".join(request.command))
    put(mark, SPACE, request.environment[MARK])


def put(address: int, room: int, text: str) -> None:
    content = os.fsencode(text)
    if len(content) >= room:
        raise ValueError(f"{text!r} is too long to be shown.")
    ctypes.memmove(address, content.ljust(room, b"\0"), room)


def forget_chance() -> None:
    """A fresh interpreter seeds numpy anew; Python does so itself for `random`, and torch begins with a fixed seed."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def run(command: list[str]) -> None:
    """Run a module (`python -m MODULE ...`) or a script as Python itself would."""
    if command[1] == "-m":
        sys.argv = command[2:]
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command[1:]
        runpy.run_path(command[1], run_name="__main__")


# -- in the template -------------------------------------------------------------------------------------------------


def argument_area() -> tuple[int, int]:
    """The place from which the kernel reads this process's command line: the addresses of its begin and end."""
    fields = stat_fields(os.getpid())
    return int(fields[45]), int(fields[46])


def stat_fields(pid: int) -> list[str]:
    """The fields of proc(5) from the third on: the second, a name in brackets, may contain blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def started(pid: int) -> float:
    """Seconds between the boot and the process's start."""
    return int(stat_fields(pid)[19]) / os.sysconf("SC_CLK_TCK")


def initial_value(name: str) -> int:
    """The address of a variable's value, as the kernel shows it in /proc/PID/environ."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    return int(getenv(name.encode()) or 0)


def stamps() -> dict[str, tuple[int, int]]:
    """Time and size of each imported file."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {file: stamp for file in files if file and (stamp := stamp_of(file))}


def stamp_of(file: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(file)  # noqa: PTH116  takes half the time of Path's, for three thousand files
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def changed(files: dict[str, tuple[int, int]]) -> str:
    """A file that changed since its import; empty if there is none."""
    return next((file for file, stamp in files.items() if stamp_of(file) != stamp), "")


def refuse_unsafe() -> None:
    """End if a fork would not work as well as a fresh process; the worker reads the reason."""
    if device := open_gpu():
        sys.exit(f"The imports have opened {device}, so no fork could use the GPU.")
    os.close(os.pidfd_open(os.getpid()))  # raises where the kernel has none: a fork's end could not be reported
    if not can_show():
        sys.exit("A fork cannot show its own command line on this system.")
    # Counted after a first fork: before each one OpenBLAS ends its threads, and starts them again when it needs them.
    if (threads := len(os.listdir("/proc/self/task"))) > 1:  # noqa: PTH208
        sys.exit(f"The imports have left {threads} threads, whose locks would never be released in a fork.")


def open_gpu() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "a GPU"
    links = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return next((link for link in links if link in GPU_DEVICES), "")


def can_show() -> bool:
    """Try it in a fork."""
    mark = initial_value(MARK)
    pid = os.fork()
    if pid == 0:
        try:
            show(Request([sys.executable, "-m", "tried"], "/", {MARK: "/tried"}, ""), mark)
            environment, words = (Path(f"/proc/self/{name}").read_bytes() for name in ("environ", "cmdline"))
            shown = f"{MARK}=/tried\0".encode() in environment and words.split(b"\0")[1:3] == [b"-m", b"tried"]
            os._exit(0 if shown else 1)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def main(descriptor: int, package: str) -> None:
    worker = Connection(descriptor)
    importlib.import_module(f"engine.{package}.prepare").prepare()
    sys.stdout.flush()  # otherwise each fork would write it again
    refuse_unsafe()
    gc.freeze()  # otherwise a fork's first collection would write to, and so copy, all imported objects
    template = Template(worker)
    worker.send_bytes(b'{"ready": true}')
    try:
        request = template.serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the worker is gone
    if request is not None:
        run(request.command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
