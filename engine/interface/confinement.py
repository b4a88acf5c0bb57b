"""What an engine process knows of its confinement, for its report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Confinement:
    """Whether the kernel confines this process, and a sentence about it for the log."""

    holds: bool
    sentence: str
    is_a_failure: bool = False  # it was requested and does not hold
