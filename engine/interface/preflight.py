"""What a check before a start reports, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.interface.errors import Problem

Report = Callable[[str, int, int], None]


@dataclass
class Result:
    problems: list[Problem] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"problems": [problem.to_dict() for problem in self.problems], "estimate": self.estimate}
