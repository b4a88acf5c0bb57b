"""Which engines there are, what each can be told, and the command line that trains with it.

Imported by the web process: nothing here may import torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.builtin import schema as builtin_schema
from engine.builtin import support as builtin_support
from engine.builtin.checkpoint import is_whole as is_whole_backup
from engine.interface.errors import Problem

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Engine:
    """A trainer, seen from outside its process."""

    name: str
    title: str
    schema: Callable[[], dict[str, Any]]
    defaults: Callable[[], dict[str, Any]]
    check: Callable[[dict[str, Any]], list[Problem]]
    command: Callable[[Path], list[str]]
    is_whole: Callable[[Path], bool]  # of a backup: no file is missing or cut off
    capabilities: frozenset[str]


def _builtin_command(attempt_folder: Path) -> list[str]:
    return [sys.executable, "-m", "engine.builtin", str(attempt_folder)]


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name="builtin",
            title="Built-in trainer",
            schema=builtin_schema.schema,
            defaults=builtin_schema.defaults,
            check=builtin_support.check,
            command=_builtin_command,
            is_whole=is_whole_backup,
            capabilities=frozenset(
                {"stop", "pause", "continue", "sample_default", "sample_custom", "backup", "save", "resume"}
            ),
        ),
    )
}


class UnknownEngine(ValueError):
    """There is no such engine."""


def get_engine(name: str) -> Engine:
    try:
        return ENGINES[name]
    except (KeyError, TypeError):
        raise UnknownEngine(f"There is no engine {name!r}: choose one of {', '.join(ENGINES)}.") from None
