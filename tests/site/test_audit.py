"""The output of `make audit`, with commands that end like the real commands."""

from __future__ import annotations

import sys

import pytest

from tests.audit import audit


def ending(status, text=""):
    return [sys.executable, "-S", "-c", f"import sys; sys.stderr.write({text!r}); sys.exit({status})"]


def test_packages_without_a_known_weakness_are_fine(capsys):
    assert audit("Packages", ending(0))
    assert capsys.readouterr().out == "Packages: no known weakness.\n"


@pytest.mark.parametrize(
    "text",
    [
        "Traceback ...\nrequests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries exceeded",
        "npm error audit endpoint returned an error",
    ],
)
def test_an_unreachable_service_fails_with_one_sentence(capsys, text):
    assert not audit("Packages", ending(1, text))
    said = "Packages were not audited: the service that knows their weaknesses cannot be reached from here.\n"
    assert capsys.readouterr().out == said


def test_a_known_weakness_is_shown(capsys):
    assert not audit("Packages", ending(1, "Found 1 known vulnerability in django"))
    assert "Found 1 known vulnerability in django" in capsys.readouterr().out


def test_a_missing_tool_is_named(capsys):
    assert not audit("Packages", ["no-such-tool"])
    assert capsys.readouterr().out == "Packages were not audited: no-such-tool is not installed.\n"
