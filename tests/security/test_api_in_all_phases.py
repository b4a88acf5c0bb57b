"""schemathesis with a trainer's token against a real site: examples, coverage, fuzzing and sequences of calls."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import requests

from tests.integration.site import Site

PIECES = r"/uploads/\{id\}$"  # it cannot write their media type; tests of uploads try random pieces
SECONDS = os.environ.get("SCHEMATHESIS_SECONDS", "150")
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,unsupported_method"
MAKE_TRAINER = """
from django.contrib.auth.models import Group, User
from web.permissions import TRAINERS
user = User.objects.create_user("theo")
user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
"""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "data", API_WRITE_RATE="", FOLDER_SECONDS="0.2", PREFLIGHT_SECONDS="0")
    try:
        yield site.start("--no-worker", "--no-demo")
    finally:
        site.stop()
        site.clean_up()


def test_no_call_of_a_trainer_fails_in_any_phase(site, tmp_path):
    site.manage("shell", "-v", "0", "-c", MAKE_TRAINER)
    token = {"Authorization": f"Token {site.manage('create_token', 'theo')}"}
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.address}/api/schema?format=json"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--checks", CHECKS, "--max-time", SECONDS),
        *("--exclude-path-regex", PIECES),
        *("--header", f"Authorization:{token['Authorization']}", "--seed", "1", "--no-color"),
        *("--request-timeout", "60", "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"),
    ]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DATABASE_URL")}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stdout[-20_000:] + answer.stderr[-2_000:]
    assert "Stateful" in answer.stdout and "Fuzzing" in answer.stdout
    assert requests.get(f"{site.address}/healthz", timeout=60).ok
    assert "Traceback" not in (site.folder / "logs" / "web.log").read_text()
    assert "whole" in site.manage("verify_audit")
