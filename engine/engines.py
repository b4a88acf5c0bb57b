"""The engines, the commands that each supports, and the command line that starts a training.

Imported by the web process: nothing here may import torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.builtin.config import schema as builtin_schema
from engine.builtin.config.check import check as check_for_builtin
from engine.builtin.training.checkpoint import is_whole as is_whole_backup
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.onetrainer import limits as onetrainer_limits
from engine.onetrainer import schema as onetrainer_schema
from engine.onetrainer.facts import StillReading, Unavailable
from engine.onetrainer.workspace import is_whole as is_whole_workspace_backup

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Engine:
    """A trainer, seen from outside its process."""

    name: str
    title: str
    schema: Callable[[], JsonObject]
    defaults: Callable[[], JsonObject]
    check: Callable[[JsonObject], list[Problem]]
    command: Callable[[Path], list[str]]
    is_whole: Callable[[Path], bool]  # of a backup: no file is missing or cut off
    capabilities: frozenset[str]
    complete: Callable[[JsonObject], JsonObject] = lambda config: config  # of a new run, from the engine's own values
    keep_random: Callable[[JsonObject, str], JsonObject] = lambda config, backup: config  # for a run of an older site
    compact: Callable[[JsonObject], JsonObject] = lambda config: config  # without what `complete` fills in
    limits: Callable[[str, JsonObject, bool], str] = lambda kind, config, is_paused: ""
    until_stopped: Callable[[str, JsonObject], str] = lambda phase, config: ""
    learn: Callable[[float], object] = lambda seconds: None  # its settings, where that takes time; raises Unavailable
    takes_hub_data_sets: bool = False  # a concept's path may be the name of a data set on the hub
    package: str = ""  # whose prepare.py imports its libraries into a template; empty where it has none

    def why_not(self, kind: str, config: JsonObject, is_paused: bool) -> str:
        """Why a run in this state with this config would refuse a command, in a sentence; empty if it would not."""
        if kind not in self.capabilities:
            return f"The engine {self.title} does not support this command."
        return self.limits(kind, config, is_paused)

    def give_time(self, seconds: float) -> None:
        """Wait at most `seconds` for an engine whose settings are being read."""
        with suppress(Unavailable):  # the next caller gets the reason
            self.learn(seconds)

    @property
    def is_being_read(self) -> bool:
        """True while its settings are being read, so that it can be used in a moment."""
        try:
            self.schema()
        except StillReading:
            return True
        except Unavailable:
            return False
        return False

    def why_unavailable(self) -> str:
        """Why the engine cannot be used now, in a sentence; empty if it can."""
        try:
            self.schema()
        except Unavailable as error:
            return str(error)
        return ""


@dataclass(frozen=True)
class Availability:
    """An engine as a list of engines shows it; `why_not` says why it cannot be used now."""

    name: str
    title: str
    capabilities: list[str]
    why_not: str


def _builtin_command(attempt_folder: Path) -> list[str]:
    return [sys.executable, "-m", "engine.builtin", str(attempt_folder)]


def _onetrainer_command(attempt_folder: Path) -> list[str]:
    return [str(onetrainer_schema.checkout().python), str(ROOT / "engine/onetrainer/driver.py"), str(attempt_folder)]


BUILTIN = Engine(
    name="builtin",
    title="Built-in trainer",
    schema=builtin_schema.schema,
    defaults=builtin_schema.defaults,
    check=check_for_builtin,
    command=_builtin_command,
    is_whole=is_whole_backup,
    package="builtin",
    capabilities=frozenset(
        {"stop", "pause", "continue", "sample_default", "sample_custom", "backup", "save", "resume"}
    ),
)
ONETRAINER = Engine(
    name="onetrainer",
    title="OneTrainer",
    schema=onetrainer_schema.schema,
    defaults=onetrainer_schema.defaults,
    check=onetrainer_schema.check,
    command=_onetrainer_command,
    is_whole=is_whole_workspace_backup,
    package="onetrainer",
    capabilities=frozenset(
        {"stop", "pause", "continue", "sample_default", "sample_custom", "backup", "save", "resume"}
    ),
    limits=onetrainer_limits.why_not,
    until_stopped=onetrainer_limits.until_stopped,
    learn=onetrainer_schema.facts,
    takes_hub_data_sets=True,
    complete=onetrainer_schema.complete,
    keep_random=onetrainer_schema.keep_random,
    compact=onetrainer_schema.compact,
)
CONFIGURED = (BUILTIN, ONETRAINER) if os.environ.get("ONETRAINER_HOME") else (BUILTIN,)
ENGINES = {engine.name: engine for engine in CONFIGURED}


class UnknownEngine(ValueError):
    """No engine has this name."""


def get_engine(name: str) -> Engine:
    """The engine, even if it cannot be used now."""
    try:
        return ENGINES[name]
    except (KeyError, TypeError):
        raise UnknownEngine(f"There is no engine {name!r}: choose one of {', '.join(ENGINES)}.") from None


def available() -> list[Availability]:
    """All engines; an engine that cannot be used now has the reason."""
    return [
        Availability(engine.name, engine.title, sorted(engine.capabilities), engine.why_unavailable())
        for engine in ENGINES.values()
    ]
