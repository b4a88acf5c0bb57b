"""The Makefile: which Python it takes, and what it says where a tool is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings


@pytest.fixture
def tools(tmp_path):
    """A folder to be all of PATH, with what every Unix has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("make", "sh", "test", "touch", "grep", "find", "mktemp", "rm"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def make(tools, target, *options):
    command = [tools / "make", "--no-print-directory", f"VENV={tools.parent / 'venv'}", target, *options]
    environment = {**os.environ, "PATH": str(tools), "MAKEFLAGS": ""}
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_it_takes_the_first_python_that_runs(tools):
    script(tools / "python3.13", "exit 127")  # a shim that leads nowhere
    script(tools / "python3.12", f'exec {sys.executable} "$@"')
    planned = make(tools, f"{tools.parent / 'venv'}/.made", "-n").stdout
    assert "python3.12 -m venv" in planned


def test_without_a_python_it_says_which_is_needed(tools):
    said = make(tools, f"{tools.parent / 'venv'}/.made")
    assert said.returncode != 0
    assert said.stdout.startswith("Python 3.11 or newer is needed")
    assert said.stdout.count("\n") == 1


def test_without_npm_it_says_how_to_get_it(tools):
    said = make(tools, "static/vendor/.installed", "--assume-new=package-lock.json")
    assert said.returncode != 0
    assert said.stdout.startswith("Node.js with npm is needed")
    assert said.stdout.count("\n") == 1


def test_packages_are_installed_again_only_when_the_list_changed(tools):
    venv = tools.parent / "venv"
    venv.mkdir()
    for name in (".made", ".installed"):
        (venv / name).touch()
    assert "pip" not in make(tools, "setup", "-n").stdout
    assert "pip" in make(tools, "setup", "-n", "--assume-new=requirements.txt").stdout
    assert "--require-hashes" in make(tools, "setup", "-n", "--assume-new=requirements.lock").stdout
