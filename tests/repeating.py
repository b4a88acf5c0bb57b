"""Repeats failed tests, each alone: run `python -m tests.repeating FILE` after a run of pytest that wrote FILE.

pytest writes FILE if the environment's FAILED_TESTS names it. A test that passes alone is *flickering*: it does not
fail the run, but is a defect to fix first, and is named at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MOST = 20  # with more failures, the suite itself is broken


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """Write the result of the run to the requested file; with several processes, the main process writes it."""
    if not (file := os.environ.get("FAILED_TESTS")):
        return
    stats = terminalreporter.stats
    reports = [*stats.get("failed", []), *stats.get("error", [])]
    tests = [report.nodeid for report in reports if hasattr(report, "when")]
    broken = [report.nodeid for report in reports if not hasattr(report, "when")]  # files that cannot be collected
    if os.environ.get("CI") == "true":  # if no test may be skipped
        broken += [f"{report.nodeid} was left out" for report in stats.get("skipped", [])]
    ending = {"status": int(exitstatus), "failed": list(dict.fromkeys(tests)), "broken": broken}
    Path(file).write_text(json.dumps(ending))


def main(file: Path) -> int:
    """The exit status: 0 if every failed test passes alone and nothing else went wrong."""
    try:
        ending = json.loads(file.read_text())
    except (OSError, ValueError):
        print("The tests did not come to their end, so none is repeated.")  # noqa: T201
        return 1
    failed = ending["failed"]
    if ending["status"] != pytest.ExitCode.TESTS_FAILED or ending["broken"] or not 0 < len(failed) <= MOST:
        return 1
    again = [test for test in failed if not _passes(test)]
    for test in failed:
        print(f"{'failed again' if test in again else 'flickering'}: {test}", flush=True)  # noqa: T201
    return 1 if again else 0


def _passes(test: str) -> bool:
    """True if the test passes alone; otherwise print its output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("FAILED_TESTS", "CI")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test]
    return subprocess.run(command, env=environment).returncode == pytest.ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
