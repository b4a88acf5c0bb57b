"""Repetition of failed tests, in a small suite that real parallel processes run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings

PASSES = "def test_good():\n    pass\n"
FAILS = "def test_bad():\n    assert False\n"
FLICKERS = """
import pathlib, pytest
@pytest.mark.parametrize("name", ["a::b", "ä [x]"])
def test_once(name):
    mark = pathlib.Path("failed " + str(len(name)))
    if not mark.exists():
        mark.touch()
        assert False
"""
ERRS = """
import pathlib, pytest
@pytest.fixture
def thing():
    mark = pathlib.Path("erred")
    if not mark.exists():
        mark.touch()
        raise OSError
def test_with_thing(thing):
    pass
"""
CRASHES = "import os\ndef pytest_collection_finish():\n    os._exit(3)\n"


@pytest.fixture
def suite(tmp_path):
    """Run these files as a suite, then repeat failed tests; return the status and the last lines."""
    (tmp_path / "pytest.ini").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PYTHONPATH": str(settings.BASE_DIR), "FAILED_TESTS": "ending.json", "CI": ""}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # this project's plugins cost seconds at each start

    def run(*options, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        how = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        pytest_ = [sys.executable, "-m", "pytest", "-p", "tests.repeating", "-p", "xdist.plugin", *options]
        subprocess.run(pytest_, **how)
        ended = subprocess.run([sys.executable, "-m", "tests.repeating", "ending.json"], **how)
        return ended.returncode, ended.stdout.splitlines()

    return run


def test_tests_that_pass_alone_flicker_and_do_not_fail_the_run(suite):
    status, lines = suite("-n2", test_one=FLICKERS, test_two=ERRS, test_three=PASSES)
    assert status == 0, lines
    assert set(lines[-3:]) == {
        "flickering: test_one.py::test_once[a::b]",
        "flickering: test_one.py::test_once[\\xe4 [x]]",
        "flickering: test_two.py::test_with_thing",
    }


def test_a_test_that_fails_again_fails_the_run(suite):
    status, lines = suite(test_one=ERRS, test_two=FAILS)
    assert status == 1
    assert lines[-2:] == ["failed again: test_two.py::test_bad", "flickering: test_one.py::test_with_thing"]


def test_a_file_that_cannot_be_collected_fails_the_run(suite):
    assert suite(test_one="import no_such_module\n", test_two=FAILS)[0] == 1


def test_an_aborted_run_fails(suite):
    status, lines = suite(conftest=CRASHES, test_one=PASSES)
    assert (status, lines) == (1, ["The tests did not come to their end, so none is repeated."])


def test_a_suite_that_fails_as_a_whole_is_not_repeated(suite):
    many = "import pytest\n@pytest.mark.parametrize('number', range(30))\ndef test_bad(number):\n    assert False\n"
    assert suite(test_one=many) == (1, [])
