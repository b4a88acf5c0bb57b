"""The reports of a check before a start, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject

Report = Callable[[str, int, int], None]


@dataclass
class PreflightResult:
    """The problems of a config, and the memory, disk space and batches that its run is expected to take."""

    problems: list[Problem] = field(default_factory=list)
    estimate: JsonObject = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        return {"problems": [problem.to_dict() for problem in self.problems], "estimate": self.estimate}
