"""The table for docs/reliability.md."""

from __future__ import annotations

from statistics import median

from tests.faults.rounds import ALLOWED, Injected, Result

HEAD = "| fault | tried | wrong after 15 s | right again, median | worst |\n| --- | --- | --- | --- | --- |"


def markdown(results: list[Result]) -> str:
    """A row for each kind of fault, and the sums over all rounds."""
    injected = [one for result in results for one in result.injected]
    kinds = sorted({one.fault.kind for one in injected})
    lines = [_line(kind, [one for one in injected if one.fault.kind == kind]) for kind in kinds]
    return "\n".join(["", HEAD, *lines, _line("all", injected), "", _sums(results)])


def _line(kind: str, faults: list[Injected]) -> str:
    wrong = sum(one.wrong_for > ALLOWED for one in faults)
    times = [one.right_again for one in faults] or [0.0]
    return f"| {kind} | {len(faults)} | {wrong} | {median(times):.1f} s | {max(times):.1f} s |"


def _sums(results: list[Result]) -> str:
    findings, seeds = [result.findings for result in results], [result.plan.seed for result in results]
    return (
        f"{len(results)} rounds, seeds {min(seeds)} to {max(seeds)}. "
        f"Lost events: {sum(found.lost for found in findings)}. "
        f"Doubled events: {sum(found.doubled for found in findings)}. "
        f"Broken rounds: {sum(bool(result.problems) for result in results)}. "
        f"Most steps trained again after a kill: {max(found.again for found in findings)}."
    )
