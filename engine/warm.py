"""The worker's end of templates: an attempt is forked from one, because a fresh process would import for seconds.

Any failure of a template is a line in the worker's log, and the attempt starts in a fresh interpreter.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from pathlib import Path

from engine import leash
from engine.interface.json_types import JsonObject
from engine.template import MARK, SPACE, Request

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0  # how long a template may take to fork
STATUS_SECONDS = 2.0  # how long it may take to report a fork's end
IMPORT_SECONDS = 300.0  # how long the imports may take, from a slow disk
LOOK_SECONDS = 0.2


class Unusable(Exception):
    """A template cannot fork; the reason is for the worker's log."""


@dataclass(frozen=True)
class Origin:
    """The origin of a template: another Python, folder or environment needs another template."""

    python: str
    package: str  # of `engine`; its prepare.py imports the libraries
    cwd: Path
    environment: Mapping[str, str]


class Template:
    """A template's process, which first imports."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.answer_seconds = ANSWER_SECONDS
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  it is read after the process has ended
        self._connection, theirs = Pipe()
        command = [origin.python, "-m", "engine.template", str(theirs.fileno()), origin.package, " " * SPACE]
        self._process = subprocess.Popen(
            [origin.python, leash.__file__, str(os.getpid()), *command],
            cwd=origin.cwd,
            env=_environment(origin),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._is_ready = False
        self._statuses: dict[int, int] = {}  # by pid, of forks that have ended

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, go_on: Callable[[], bool]) -> bool:
        """Wait for the imports while `go_on` returns True; return whether they are done. Raises Unusable."""
        patience = IMPORT_SECONDS
        while not self._is_ready and go_on():
            if self._has_message(LOOK_SECONDS):
                self._is_ready = "ready" in self._receive()
            elif (patience := patience - LOOK_SECONDS) <= 0:
                raise Unusable(f"The template still imports after {IMPORT_SECONDS:.0f} s.")
        return self._is_ready

    def changed(self) -> str:
        """A file that changed since its import; empty if there is none. Raises Unusable."""
        return self._ask({"look": True})["changed"]

    def fork(self, request: Request) -> tuple[int, float]:
        """The pid of the new process, and its start in seconds after the boot. Raises Unusable."""
        answer = self._ask(asdict(request))
        if "pid" not in answer:
            raise Unusable("Its fork could not start.")
        return answer["pid"], answer["started"]

    def exit_status(self, pid: int) -> int | None:
        """The exit status of an ended fork, negative for a signal; None if the template ended before it."""
        try:
            while pid not in self._statuses and self._has_message(STATUS_SECONDS):
                self._receive()
        except Unusable:
            logger.debug("Its template has ended before process %d.", pid)
        return self._statuses.get(pid)

    def end(self) -> None:
        """Its forks continue."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _ask(self, message: JsonObject) -> JsonObject:
        try:
            self._connection.send_bytes(json.dumps(message).encode())
        except OSError as error:
            raise Unusable(self._last_words()) from error
        while self._has_message(self.answer_seconds):
            if answer := self._receive():
                return answer
        raise Unusable(f"The template did not answer within {self.answer_seconds:.0f} s.")

    def _receive(self) -> JsonObject:
        """The next message; a message about a fork's end is noted, and None is returned."""
        try:
            message = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise Unusable(self._last_words()) from error
        if "ended" not in message:
            return message
        self._statuses[message["ended"]] = message["status"]
        return {}

    def _has_message(self, seconds: float) -> bool:
        try:
            return self._connection.poll(seconds)
        except OSError as error:
            raise Unusable(self._last_words()) from error

    def _last_words(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        said = os.pread(self._output.fileno(), size, 0).decode(errors="replace").strip()
        return said.splitlines()[-1] if said else "The template has ended without a message."


def _environment(origin: Origin) -> dict[str, str]:
    """The mark comes last, because the rest of its space may hide the variables after it."""
    others = {name: value for name, value in origin.environment.items() if name != MARK}
    # torch then asks the driver's library for the GPUs, and does not start CUDA itself
    return {**others, "PYTORCH_NVML_BASED_CUDA_CHECK": "1", MARK: " " * SPACE}


class Templates:
    """The templates of one worker: the newest of each engine."""

    def __init__(self) -> None:
        self._kept: dict[str, Template] = {}  # by the package of its origin
        self._refused: list[Origin] = []

    def begin(self, origin: Origin) -> Template | None:
        """The template of this origin, which may still import; None if there can be none."""
        if origin in self._refused:
            return None
        kept = self._kept.get(origin.package)
        if kept is not None and kept.is_alive and kept.origin == origin:
            return kept
        self._drop(origin.package)
        try:
            self._kept[origin.package] = Template(origin)
        except OSError as error:
            self._give_up(origin, str(error))
        return self._kept.get(origin.package)

    def ready(self, origin: Origin, go_on: Callable[[], bool]) -> Template | None:
        """The template, once it has imported everything that the engine needs as it is on the disk now.

        None if there can be none, or if `go_on` returned False.
        """
        template = self._waited_for(origin, go_on)
        if template is None or not (reason := self._why_renew(template)):
            return template
        logger.info("The template of engine.%s is started again: %s", origin.package, reason)
        self._drop(origin.package)
        return self._waited_for(origin, go_on)

    def _waited_for(self, origin: Origin, go_on: Callable[[], bool]) -> Template | None:
        template = self.begin(origin)
        try:
            return template if template is not None and template.wait_until_ready(go_on) else None
        except Unusable as error:
            self._give_up(origin, str(error))
        return None

    def _why_renew(self, template: Template) -> str:
        try:
            file = template.changed()
        except Unusable as error:
            return str(error)
        return file and f"{file} has changed since it was imported."

    def _give_up(self, origin: Origin, reason: str) -> None:
        logger.warning("engine.%s has no template, so it starts in a fresh interpreter. %s", origin.package, reason)
        self._refused.append(origin)
        self._drop(origin.package)

    def _drop(self, package: str) -> None:
        if kept := self._kept.pop(package, None):
            kept.end()

    def end(self) -> None:
        for package in list(self._kept):
            self._drop(package)
