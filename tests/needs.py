"""Programs and rights that some tests need, and the last line, which lists tests skipped without them."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

WANT = "for want of "


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres; Debian keeps it out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = str(found[-1]) if found else shutil.which("initdb")
    return Path(program).parent if program else None


def chromium() -> str | None:
    """The headless shell if it is installed: the same browser without windows."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def needs(what: str, there: object) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=f"{WANT}{what}")


needs_chromium = needs("chromium", chromium())
needs_cc = needs("cc", shutil.which("cc"))
needs_redis = needs("redis", shutil.which("redis-server"))
needs_mount = needs("the right to mount", os.geteuid() == 0)
needs_gettext = needs("gettext", shutil.which("msgfmt"))
OLDER = Path(__file__).parents[1] / ".venv" / "older"
needs_older = needs("the older libraries (make .venv/older/.installed)", (OLDER / ".installed").is_file())
needs_nginx = needs("nginx", shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"))
needs_postgres = needs("postgres", postgres_programs())


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Tests against a real OneTrainer are collected only if there is a OneTrainer."""
    if os.environ.get("ONETRAINER_HOME"):
        return
    real = [item for item in items if item.get_closest_marker("real_onetrainer")]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]


def left_out(reports: list[Any]) -> str:
    """One line on the skipped tests, by reason; empty without skipped tests."""
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ").removeprefix(WANT) for report in reports)
    parts = [f"{count} for want of {what}" for what, count in sorted(reasons.items())]
    return f"Left out: {', '.join(parts)}." if parts else ""


def pytest_unconfigure(config: Any) -> None:
    """Print the last line of the output."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(left_out(reporter.stats.get("skipped", [])) or "No test was left out.")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: Any) -> None:
    """In CI no test may be skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # in one of several parallel test processes
        return
    if os.environ.get("CI") == "true" and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
