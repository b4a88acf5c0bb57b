"""The templates of all sites that a test process starts are forked from one process, which imports torch once.

`python -m tests.integration.nursery SOCKET SPACE`. A site's template begins as in production, as `python -m
engine.template`; `unhurried/sitecustomize.py` then hands its descriptors, arguments and environment over to the
nursery, and lives and dies with the fork. The sites of `test_demo.py`, `test_serve.py` and `tests/faults` import torch
themselves, and so do sites whose environment a process can only receive at its start.
"""

from __future__ import annotations

import fcntl
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import leash
from engine.template import MARK, SPACE
from tests.integration.unhurried.handing_over import LENGTH, NURSERY

F_SETSIG = 10  # fcntl(2): the signal that reports news on a descriptor; not in Python's module
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def open_nursery() -> Iterator[dict[str, str]]:
    """The variables that send a site's templates to it."""
    with tempfile.TemporaryDirectory(prefix="nursery-") as folder:
        address = f"{folder}/socket"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen()
        unhurried = str(Path(__file__).with_name("unhurried"))
        command = [sys.executable, "-m", "tests.integration.nursery", str(listener.fileno()), " " * SPACE]
        blank = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1", "PYTHONPATH": unhurried, MARK: " " * SPACE}
        process = subprocess.Popen(
            [sys.executable, leash.__file__, str(os.getpid()), *command],
            cwd=ROOT,
            env={**os.environ, **blank},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        listener.close()
        try:
            yield {NURSERY: address}
        finally:
            process.kill()
            process.wait()


def fits(environment: Mapping[str, str]) -> bool:
    """False if the dynamic linker reads the environment, which it does only when a process starts."""
    return not any(name.startswith("LD_") for name in environment)


def serve(listener: socket.socket) -> None:
    """Fork for each template; return only in the forks."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps them
    while True:
        connection, _ = listener.accept()
        request, descriptors = receive(connection)
        from engine.builtin.prepare import prepare  # at the first request: many test processes never train

        prepare()
        if os.fork() == 0:
            listener.close()
            become_template(connection, request, descriptors)
            return
        connection.close()
        for descriptor in descriptors:
            os.close(descriptor)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The template's arguments, environment and folder; and its pipe, stdout and stderr."""
    begin, descriptors, _, _ = socket.recv_fds(connection, LENGTH, 3)
    with connection.makefile("rb") as stream:
        return json.loads(stream.read(int(begin))), descriptors


def become_template(connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    """Take on the identity of the template; the kernel kills this process when the handing process ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(connection, fcntl.F_SETFL, os.O_ASYNC)
    connection.send(b"1")  # fails if that process has ended already
    os.register_at_fork(after_in_child=connection.close)
    pipe, *outputs = descriptors
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    take_on(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["engine.template", str(pipe), *request["arguments"]]


def take_on(environment: dict[str, str]) -> None:
    """All but the mark, whose place the kernel shows."""
    for name in set(os.environ) - set(environment) - {MARK}:
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if name != MARK})


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("engine.template", run_name="__main__", alter_sys=True)
