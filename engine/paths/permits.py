"""The answer of the check that travels with a run: where each path of its config led, and to which file.

The process that uses the paths compares: what has been swapped since is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.interface.errors import BadConfig, Problem
from engine.paths.door import open_judged
from engine.paths.policy import WRITES, Judged, Policy, Purpose, Refused, Why

LOOK = os.O_PATH | os.O_CLOEXEC


@dataclass(frozen=True)
class Permit:
    """One path of a config; `there` is its nearest existing folder, or itself, with its device and inode.

    `may_replace` is true for a destination where an earlier model of this site is, `may_clear` for one beside which an
    earlier attempt of the run may have left a half-written file.
    """

    field: str
    purpose: str
    path: str
    there: str
    device: int
    inode: int
    may_replace: bool = False
    may_clear: bool = False

    @classmethod
    def of(cls, field: str, judged: Judged, may_replace: bool = False, may_clear: bool = False) -> Permit:
        """Raises Refused and OSError."""
        there = _nearest(judged)
        device, inode = _identity(there)
        return cls(field, judged.purpose.value, judged.real, there.real, device, inode, may_replace, may_clear)

    def verify(self, policy: Policy) -> None:
        """Raises Refused if the path is not allowed any more, or leads elsewhere."""
        purpose = Purpose(self.purpose)
        judged = policy.judge(self.path, purpose)
        there = policy.judge(self.there, purpose)
        try:
            same = judged.real == self.path and (self.device, self.inode) == _identity(there)
        except OSError:
            same = False
        if not same:
            raise Refused(Why.CHANGED, self.path)


def _nearest(judged: Judged) -> Judged:
    """The path itself if it exists, else the nearest folder above it within its root."""
    real = judged.real
    while real != judged.root.path and not os.path.lexists(real):
        real = os.path.dirname(real)
    return Judged(real, judged.root, judged.purpose)


def _identity(judged: Judged) -> tuple[int, int]:
    descriptor = open_judged(judged, LOOK)
    try:
        facts = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return facts.st_dev, facts.st_ino


@dataclass(frozen=True)
class Permits:
    """All permits of an attempt, and the policy that they were given by."""

    policy: Policy
    permits: tuple[Permit, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"policy": self.policy.to_dict(), "permits": [asdict(one) for one in self.permits]}

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> Permits | None:
        """Those of an attempt's spec; None for a spec that no site wrote."""
        values = spec.get("door")
        if values is None:
            return None
        return cls(Policy.from_dict(values["policy"]), tuple(Permit(**one) for one in values["permits"]))

    def problems(self) -> list[Problem]:
        """An error for each path that has changed."""
        return list(_problems(self.policy, self.permits))

    def verify(self) -> None:
        """Raises BadConfig."""
        if found := self.problems():
            raise BadConfig(found)

    def may_replace(self, path: Path) -> bool:
        """Whether an existing file or folder at this path is an earlier model of this site."""
        return any(one.may_replace and one.path == str(path) for one in self.permits)

    def may_clear(self, path: Path) -> bool:
        """Whether a half-written file beside this path is one of the run's earlier attempts."""
        return any(one.may_clear and one.path == str(path) for one in self.permits)

    def reads(self) -> list[str]:
        """The real paths that the run reads."""
        return [one.path for one in self.permits if Purpose(one.purpose) not in WRITES]

    def writes(self) -> list[str]:
        """The real paths that the run writes, beside its own folder."""
        return [one.path for one in self.permits if Purpose(one.purpose) in WRITES]


def _problems(policy: Policy, permits: Iterable[Permit]) -> Iterable[Problem]:
    for permit in permits:
        try:
            permit.verify(policy)
        except Refused as refused:
            yield Problem(permit.field, str(refused))
