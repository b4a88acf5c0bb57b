"""`python -m tests.security`: run the attack suite, and write the cases by kind into docs/security.md."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"
BEGIN, END = "<!-- cases: begin -->", "<!-- cases: end -->"


def kinds() -> dict[str, str]:
    """The first sentence of each file of attacks, by its name."""
    files = [file for file in sorted(HERE.glob("test_*.py")) if file.name != "test_tables.py"]  # it attacks nothing
    return {file.name: (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0] for file in files}


class Cases:
    """Counts the cases of each file, and those that got through."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.through: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = Path(report.location[0]).name
        if name not in kinds():
            return
        self.tried[name] += report.when == "call"
        self.through[name] += report.failed

    def table(self) -> str:
        rows = [f"| `{name}` | {kind} | {self.tried[name]} | {self.through[name]} |" for name, kind in kinds().items()]
        total = f"| | **All** | **{self.tried.total()}** | **{self.through.total()}** |"
        return "\n".join(["| file | kind | cases tried | let through |", "| --- | --- | --- | --- |", *rows, total])


def write(table: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    cases = Cases()
    status = pytest.main(["-q", "-p", "no:cacheprovider", str(HERE)], plugins=[cases])
    write(cases.table())
    sys.exit(status)
