"""The commands that a running training takes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.interface.json_types import JsonObject

LOOK_SECONDS = 1.0
KINDS = ("stop", "pause", "continue", "sample_default", "sample_custom", "backup", "save")


class SampleSettings(Protocol):
    """A SampleConfig, of either engine."""

    def to_dict(self) -> JsonObject: ...


@dataclass(frozen=True)
class Command:
    """One command; `id` is set if somebody waits for the result."""

    kind: str
    arguments: JsonObject = field(default_factory=dict)
    id: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no command {self.kind!r}: choose one of {', '.join(KINDS)}.")


class TrainCommands:
    """A mailbox: the control channel adds commands, the training thread takes them between steps.

    The methods without an id are OneTrainer's, for callers that hold a trainer in their own process.
    """

    def __init__(
        self, on_command: Callable[[TrainCommands], None] | None = None, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._on_command, self._look_seconds = on_command, look_seconds
        self._arrived = threading.Condition()
        self._pending: list[Command] = []
        self._stop: Command | None = None

    def set_on_command(self, on_command: Callable[[TrainCommands], None]) -> None:
        """Call this function after each new command."""
        self._on_command = on_command

    def stop(self, final_model: bool = True) -> None:
        self.put(Command("stop", {"final_model": final_model}))

    def pause(self) -> None:
        self.put(Command("pause"))

    def resume(self) -> None:
        self.put(Command("continue"))

    def sample_default(self) -> None:
        self.put(Command("sample_default"))

    def sample_custom(self, sample_config: SampleSettings | JsonObject) -> None:
        """Request one sample; `sample_config` is a SampleConfig or its dict."""
        settings = sample_config if isinstance(sample_config, dict) else sample_config.to_dict()
        self.put(Command("sample_custom", settings))

    def backup(self) -> None:
        self.put(Command("backup"))

    def save(self) -> None:
        self.put(Command("save"))

    def put(self, command: Command) -> None:
        with self._arrived:
            self._pending.append(command)
            if command.kind == "stop" and self._stop is None:
                self._stop = command
            self._arrived.notify_all()
        if self._on_command:
            self._on_command(self)

    @property
    def stop_requested(self) -> Command | None:
        """The first requested stop; it stays, so that long work can check for it between two parts."""
        return self._stop

    def take(self) -> list[Command]:
        """All commands since the last call, in their order, stops last."""
        with self._arrived:
            taken, self._pending = self._pending, []
        return sorted(taken, key=lambda command: command.kind == "stop")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until there is a command, at most `timeout` seconds; return whether there is one."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._arrived:
            while not self._pending and (deadline is None or time.monotonic() < deadline):
                # A signal handler runs in this very thread, perhaps just before the wait, and then wakes nobody.
                left = math.inf if deadline is None else max(0.0, deadline - time.monotonic())
                self._arrived.wait(min(self._look_seconds, left))
            return bool(self._pending)
