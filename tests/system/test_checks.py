"""Bad settings: each is reported in one sentence that says how to fix it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from django.core.checks import run_checks


def sentences():
    return [message.msg for message in run_checks() if message.id.startswith("site.")]


def test_the_default_settings_are_valid():
    assert sentences() == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ALLOWED_ROOTS", [Path("/nowhere")], "ALLOWED_ROOTS names /nowhere, which is not a folder"),
        ("DEMO_DIR", Path("/nowhere"), "which has no config.json"),
        ("DATA_DIR", Path("/nowhere"), "which this user cannot write to"),
        ("ONETRAINER_HOME", Path("/tmp"), "which does not contain OneTrainer"),
        ("ONETRAINER_PYTHON", Path("/nowhere/python"), "which cannot be run"),
        ("STOP_GRACE_SECONDS", 0, "set at least 1 second"),
        ("SIGN_IN_TRIES", 0, "set at least 1"),
        ("SECRET_KEY", "short", "use a longer random one"),
        ("ALLOWED_HOSTS", ["http://here"], "without scheme and port"),
        ("ALLOWED_HOSTS", ["here:8000"], "without scheme and port"),
    ],
)
def test_a_bad_value_is_reported_with_its_fix(settings, name, value, sentence):
    setattr(settings, name, value)
    (found,) = sentences()
    assert found.startswith(name)
    assert sentence in found


def test_debug_mode_on_a_public_site_gives_a_warning(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["example.org"]
    assert sentences() == ["DEBUG is on for more than this machine: unset DEBUG."]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA_DIR", "/proc/none"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "http://here"),
        ("TIME_ZONE", "Mars"),
        ("LOG_LEVEL", "loud"),
        ("STOP_GRACE_SECONDS", "soon"),
    ],
)
def test_an_unreadable_value_stops_the_start_with_a_sentence(name, value):
    environment = {**os.environ, name: value}
    command = [sys.executable, "manage.py", "serve", "--port", "0"]
    ended = subprocess.run(command, cwd=site_settings.BASE_DIR, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert name in ended.stderr
    assert ended.stderr.count("\n") == 1
