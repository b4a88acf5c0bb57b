"""One round: start a run, apply the planned faults, wait for its end, and check it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.invariants import Findings, examine
from tests.faults.plans import Fault, Plan
from tests.faults.witness import Answer, Witness
from tests.faults.world import World

TICK = 0.02
LONGEST_ROUND = 900.0  # seconds
ALLOWED = 15.0  # seconds that a page may be wrong after a fault
WAITING = ("queued", "starting", "running", "paused", "stopping")


@dataclass
class Injected:
    """A fault that hit a target."""

    fault: Fault
    began: float
    ended: float = 0.0
    wrong_for: float = 0.0
    right_again: float = 0.0


@dataclass
class Result:
    plan: Plan
    injected: list[Injected] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    status: str = ""
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        late = [
            f"{one.fault}: the page was wrong for {one.wrong_for:.1f} s"
            for one in self.injected
            if one.wrong_for > ALLOWED
        ]
        return [*self.findings.sentences, *late]

    def report(self) -> str:
        """The information to reproduce the round."""
        faults = "; ".join(str(fault) for fault in self.plan.faults)
        return "\n".join([f"seed {self.plan.seed} ({faults}), ended {self.status}:", *self.problems])


class Round:
    def __init__(self, world: World, plan: Plan, config: dict[str, Any]):
        self.world, self.plan = world, plan
        self.result = Result(plan)
        self.backup_interval = config["backup_after"]
        self.run_id = world.site.start_run(config)
        self.shadow = world.shadow(self.run_id)
        self.witness = Witness(world, self.run_id, self.shadow)
        self._open: list[Injected] = []
        self._waiting = list(plan.faults)
        self._due_at: float | None = None

    def play(self) -> Result:
        began = time.monotonic()
        self.witness.start()
        try:
            while not self._is_over():
                assert time.monotonic() - began < LONGEST_ROUND, f"{self.result.report()}\nThe site is not quiet yet."
                self._tick()
        finally:
            for one in self._open:
                self.world.repair(one.fault.kind)
            self.witness.end()
        self.result.findings = examine(self.world, self.run_id, self.shadow, self.backup_interval)
        self.result.seconds = time.monotonic() - began
        judge(self.result.injected, self.witness.answers)
        return self.result

    # -- faults ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.world.tend()
        self.shadow.read()
        self._repair_what_is_due()
        self._inject_what_is_due()
        time.sleep(TICK)

    def _inject_what_is_due(self) -> None:
        if not self._waiting or self.shadow.line_count < self._waiting[0].line:
            return
        present = time.monotonic()
        self._due_at = self._due_at or present + self._waiting[0].delay
        if present >= self._due_at and self._inject(self._waiting[0]):
            self._waiting.pop(0)
            self._due_at = None

    def _inject(self, fault: Fault) -> bool:
        """True if the fault hit a target; otherwise it is tried again, because the target may be restarting."""
        began = time.monotonic()
        if not self.world.inject(fault.kind, self.shadow):
            return False
        one = Injected(fault, began, ended=began)
        self.result.injected.append(one)
        if fault.lasts:
            self._open.append(one)
        return True

    def _repair_what_is_due(self) -> None:
        for one in list(self._open):
            if time.monotonic() >= one.began + one.fault.lasts:
                self.world.repair(one.fault.kind)
                one.ended = time.monotonic()
                self._open.remove(one)

    # -- the end -----------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        """True if the site is quiet and no more events can come; a run that waits for a user is continued."""
        if self._open or self._is_busy() or self.world.processes("engine"):
            return False
        if self.result.status == "finished" or not self._click():
            return self._is_right_again()
        return False

    def _is_busy(self) -> bool:
        try:
            row = self.world.rows("SELECT status FROM training_run WHERE id = ?", self.world.run_key(self.run_id))[0]
        except Exception:  # noqa: BLE001  the database may be away during a fault
            return True
        self.result.status = row["status"]
        return row["status"] in WAITING

    def _click(self) -> bool:
        """Continue the run, as its page offers; False if it has no backup."""
        backups = "SELECT path FROM training_artifact WHERE run_id = ? AND kind = 'backup' AND deleted_at IS NULL"
        if not self.world.rows(backups, self.world.run_key(self.run_id)):
            return False
        return self.world.call("POST", f"/api/runs/{self.run_id}/resume/") in (200, 503, None)

    def _is_right_again(self) -> bool:
        """True if the last answer was requested after the last fault, and is right."""
        last = max((one.ended for one in self.result.injected), default=0.0)
        answers = self.witness.answers
        return bool(answers) and answers[-1].asked_at > last and answers[-1].verdict == "right"


def judge(injected: list[Injected], answers: list[Answer]) -> None:
    """Set how long the page was wrong after each fault, and when it was right again after the fault and overlapping
    faults had ended.

    A wrong period that begins after the next fault belongs to that fault.
    """
    for number, one in enumerate(injected):
        until = injected[number + 1].began if number + 1 < len(injected) else math.inf
        spans = [length for begin, length in _wrong_spans(answers) if one.began <= begin < until]
        one.wrong_for = max(spans, default=0.0)
        calm = max(other.ended for other in injected if other.began <= one.ended)
        one.right_again = _right_again(answers, calm, max(calm, min(until, calm + ALLOWED)))


def _wrong_spans(answers: list[Answer]) -> Iterator[tuple[float, float]]:
    """(begin, length) of the periods in which the site was wrong, until it was right or reported that it is away."""
    began = None
    for answer in answers:
        if answer.verdict == "wrong":
            began = answer.asked_at if began is None else began
        elif began is not None:
            yield began, answer.asked_at - began
            began = None


def _right_again(answers: list[Answer], ended: float, until: float) -> float:
    """Seconds from `ended` to the end of the last wrong period that began before `until`; 0 if there was none."""
    others = [one.asked_at for one in answers if ended <= one.asked_at < until and one.verdict != "right"]
    if not others:
        return 0.0
    return next(one.asked_at for one in answers if one.asked_at > others[-1] and one.verdict == "right") - ended
