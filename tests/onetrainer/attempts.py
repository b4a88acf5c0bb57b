"""Attempts of the OneTrainer driver in processes of their own, on the stand-in checkout or on a real one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.engines import ROOT
from engine.interface.commands import Command
from engine.interface.journal import FILE_NAME, Event, read_journal
from engine.launcher import LOG_FILE, EngineProcess
from engine.warm import Template
from tests.waiting import wait_for

STANDIN = Path(__file__).with_name("checkout")
DRIVER = ROOT / "engine/onetrainer/driver.py"


@dataclass
class Checkout:
    home: Path
    python: str
    seconds: float  # the longest time that a training of a few steps may take
    environment: dict[str, str] = field(default_factory=dict)


def standin() -> Checkout:
    return Checkout(STANDIN, sys.executable, 30)


def real() -> Checkout:
    home = Path(os.environ["ONETRAINER_HOME"])
    return Checkout(home, os.environ.get("ONETRAINER_PYTHON") or str(home / "venv/bin/python"), 300)


def environment(checkout: Checkout) -> dict[str, str]:
    own = {"ONETRAINER_HOME": str(checkout.home), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **checkout.environment, **own}


class Attempt:
    """One start of the driver."""

    def __init__(
        self,
        checkout: Checkout,
        folder: Path,
        config: dict[str, Any],
        resume_from: Path | None = None,
        template: Template | None = None,
    ):
        self.checkout, self.folder = checkout, folder
        spec = {"run_id": "1", "config": config, "resume_from": str(resume_from) if resume_from else None}
        command = [checkout.python, str(DRIVER), str(folder)]
        self.process = EngineProcess.start(folder, spec, command, ROOT, environment(checkout), template)
        self._events: list[Event] = []
        self._offset = 0

    @property
    def log(self) -> str:
        return (self.folder / LOG_FILE).read_text()

    def events(self, kind: str = "") -> list[Event]:
        """The events at the time of the call: a quick training writes faster than a busy machine reads."""
        journal = self.folder / FILE_NAME
        size = journal.stat().st_size if journal.exists() else 0
        while self._offset < size:
            events, offset = read_journal(journal, self._offset)
            if offset == self._offset:
                break  # a torn last line
            self._events, self._offset = self._events + events, offset
        return [event for event in self._events if kind in ("", event.kind)]

    def data(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events(kind)]

    def send(self, kind: str, id: str | None = None, **arguments: Any) -> None:
        command = Command(kind, arguments, id or kind)
        wait_for(lambda: self.process.send(command), self.checkout.seconds)

    def wait_for_steps(self, count: int) -> Attempt:
        self._wait_until(lambda: any(data["global_step"] >= count for data in self.data("progress")))
        return self

    def wait_for(self, kind: str, **values: Any) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [data for data in self.data(kind) if values.items() <= data.items()]

        self._wait_until(lambda: bool(found()))
        return found()[0]

    def wait(self) -> Attempt:
        wait_for(lambda: not self.process.alive, self.checkout.seconds)
        return self

    def artifacts(self, kind: str) -> list[Path]:
        return [Path(data["path"]) for data in self.data("artifact") if data["kind"] == kind]

    def _wait_until(self, condition: Any) -> None:
        wait_for(lambda: condition() or not self.process.alive, self.checkout.seconds)
        assert condition(), self.log
