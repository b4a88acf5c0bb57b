"""The environment and the confinement of an engine process, apart from a training."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.engines import ROOT
from engine.guest import landlock, places
from engine.guest.environment import of_engine

LATE = """
import json, sys, threading
from engine.guest.confinement import confine_to
threading.Thread(target=threading.Event().wait, daemon=True).start()
confinement = confine_to({"write": []})
print(json.dumps([confinement.holds, confinement.is_a_failure, confinement.sentence]))
"""


def test_only_known_variables_reach_an_engine():
    given = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "LC_ALL": "C", "HF_HOME": "/hf"}
    unknown = {
        "SECRET_KEY": "k",
        "DATABASE_URL": "d",
        "AWS_ACCESS_KEY_ID": "a",
        "SSH_AUTH_SOCK": "s",
        "GITHUB_TOKEN": "t",
    }
    assert of_engine({**given, **unknown}) == given


def test_an_admin_can_add_variables():
    added = of_engine({"ENGINE_ENVIRONMENT": "MINE, OTHER", "MINE": "1", "OTHER": "2", "THIRD": "3"})
    assert added == {"MINE": "1", "OTHER": "2"}


def test_a_folder_around_private_files_is_open_without_them(tmp_path):
    for name in ("home/data/runs", "home/pictures", "home/deep/er"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home/link").symlink_to(tmp_path / "home/data")
    found = set(places.without(str(tmp_path / "home"), [str(tmp_path / "home/data")]))
    assert found == {f"{tmp_path}/home/pictures", f"{tmp_path}/home/deep"}


def test_hidden_files_are_open_only_if_they_are_named(tmp_path):
    for name in (".ssh", ".venv/lib", "pictures"):
        (tmp_path / name).mkdir(parents=True)
    hidden = [f"{tmp_path}/.ssh", f"{tmp_path}/.venv"]
    assert list(places.without(str(tmp_path), [], hidden)) == [f"{tmp_path}/pictures"]
    assert list(places.without(f"{tmp_path}/.venv", [], hidden)) == [f"{tmp_path}/.venv"]
    assert list(places.without(f"{tmp_path}/.venv/lib", [], hidden)) == [f"{tmp_path}/.venv/lib"]


def test_a_process_with_threads_says_that_it_is_not_confined():
    said = subprocess.run([sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    holds, is_a_failure, sentence = json.loads(said)
    assert (holds, is_a_failure) == (False, True) and "2 threads run already" in sentence


def test_a_kernel_without_landlock_is_named_in_a_sentence():
    assert "Linux has since 5.13" in landlock._reason(38)
    with pytest.raises(landlock.Unavailable):
        landlock._call(landlock.ADD_RULE, *[landlock.ctypes.c_int(-1)] * 4)
