"""The tables in docs/security: complete, and each row has a test that exists or a reason."""

import ast
import re

import pytest
from django.conf import settings

from tests.security.__main__ import kinds

FOLDER = settings.BASE_DIR / "docs" / "security"
ROW = re.compile(r"^\| (V[\d.]+|API\d+:2023) \| (.+) \| (.+) \|$", re.M)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# ASVS 5.0.0: by chapter and section the requirements of levels 1 and 2; a section without gaps by its last number.
LEVEL_2 = """
    1.1:1-2 1.2:1-9 1.3:1-11 1.4:1-3 1.5:1-2 2.1:1-3 2.2:1-3 2.3:1-4 2.4:1 3.2:1-2 3.3:1-4 3.4:1-6 3.5:1-5 3.7:1-2
    4.1:1-3 4.2:1 4.3:1-2 4.4:1-4 5.1:1 5.2:1-3 5.3:1-2 5.4:1-3 6.1:1-3 6.2:1-12 6.3:1-4 6.4:1-4 6.5:1-5 6.6:1-3
    6.8:1-4 7.1:1-3 7.2:1-4 7.3:1-2 7.4:1-5 7.5:1-2 7.6:1-2 8.1:1-2 8.2:1-3 8.3:1 8.4:1 9.1:1-3 9.2:1-4 10.1:1-2
    10.2:1-2 10.3:1-4 10.4:1-11 10.5:1-5 10.6:1-2 10.7:1-3 11.1:1-2 11.2:1-3 11.3:1-3 11.4:1-4 11.5:1 11.6:1
    12.1:1-3 12.2:1-2 12.3:1-4 13.1:1 13.2:1-5 13.3:1-2 13.4:1-5 14.1:1-2 14.2:1-4 14.3:1-3 15.1:1-3 15.2:1-3
    15.3:1-7 16.1:1 16.2:1-5 16.3:1-4 16.4:1-3 16.5:1-3 17.1:1 17.2:1-4 17.3:1-2
"""


def rows(name):
    return ROW.findall((FOLDER / name).read_text())


def numbers():
    for part in LEVEL_2.split():
        section, _, span = part.partition(":")
        first, _, last = span.partition("-")
        yield from (f"V{section}.{number}" for number in range(int(first), int(last or first) + 1))


def test_every_requirement_of_level_2_and_every_risk_has_a_row():
    assert [number for number, *_ in rows("asvs.md")] == list(numbers())
    assert [risk for risk, *_ in rows("owasp-api.md")] == [f"API{number}:2023" for number in range(1, 11)]


@pytest.mark.parametrize("name", ["asvs.md", "owasp-api.md"])
def test_each_row_names_tests_that_exist_or_a_reason(name):
    wrong = []
    for number, _, cell in rows(name):
        named = TEST.findall(cell)
        if "tests/" in cell and not named:
            wrong.append(f"{number}: {cell}")
        wrong += [f"{number}: {file}::{test}" for file, test in named if test not in functions_of(file)]
        if not named and not cell.endswith("."):
            wrong.append(f"{number} has no reason")
    assert wrong == []


def functions_of(file):
    path = settings.BASE_DIR / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_table_of_cases_is_of_files_that_exist_and_nothing_was_let_through():
    """`python -m tests.security` writes it; a new file is in it from the next time on."""
    page = (settings.BASE_DIR / "docs" / "security.md").read_text()
    found = re.findall(r"^\| `(test_\w+\.py)` \| (.+) \| (\d+) \| (\d+) \|$", page, re.M)
    assert found and {name for name, *_ in found} <= kinds().keys()
    assert [name for name, _, tried, through in found if int(tried) == 0 or int(through)] == []
