"""The README's examples for scripts, typed as they stand, against a site that trains."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from tests.examples import Example, example
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site("examples").start("--no-demo")
    yield site
    site.stop()


def typed(site, one: Example) -> str:
    """The example with this site's address and token, which the README leaves open."""
    host = site.address.removeprefix("http://")
    return (
        one.code.replace("localhost:8000", host)
        .replace("token=...", f"token={site.token}")
        .replace('"Token ..."', f'"Token {site.token}"')
    )


def test_the_commands_start_and_stop_a_run(site):
    commands = typed(site, example("README.md", "token=..."))
    done = subprocess.run(["bash", "-e"], input=commands, capture_output=True, text=True, check=True)
    assert '"is_training":false' in done.stdout and '"run_id"' in done.stdout
    [run] = site.api("GET", "runs/?q=again")["results"]
    assert run["name"] == "stars again"
    assert site.wait_for_status("stopped", "cancelled")["run_status"] in ("stopped", "cancelled")


def test_the_script_starts_a_run_follows_it_and_lists_its_files(site):
    script = typed(site, example("README.md", "import time"))
    process = subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, text=True)
    output: list[str] = []
    reading = threading.Thread(target=lambda: output.extend(process.stdout))
    reading.start()
    try:
        wait_for(lambda: any("running" in line for line in output), 120, "a report of the running run")
        site.api("POST", "training/stop")
        assert process.wait(120) == 0
    finally:
        process.kill()
        reading.join()
    assert "'kind': 'model'" in output[-1]
