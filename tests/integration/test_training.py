"""A training in a whole site: started over REST, followed over a WebSocket, and surviving every kill."""

from __future__ import annotations

import json

import pytest
import requests
from websockets.sync.client import connect

from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site("training").start("--no-demo")
    yield site
    site.stop()


@pytest.fixture
def run_id(site, config):
    """A run that trains, and is stopped at the end of the test."""
    run_id = site.start_run(config)
    site.wait_for_step(5)
    yield run_id
    if site.status()["run_status"] not in ("stopped", "finished", "failed", "interrupted"):
        site.api("POST", "training/stop")
        site.wait_for_status("stopped")


def open_socket(site, path="/ws"):
    headers = {"Authorization": f"Token {site.token}"}
    return connect(f"{site.address.replace('http', 'ws')}{path}", additional_headers=headers, proxy=None)


def next_message(socket, kind, timeout=60):
    while True:
        message = json.loads(socket.recv(timeout))
        if message["type"] == kind:
            return message["data"]


def test_a_run_is_started_followed_sampled_stopped_and_resumed(site, config):
    with open_socket(site) as socket:
        assert next_message(socket, "connected")["is_training"] is False
        run_id = site.start_run(config)
        while (state := next_message(socket, "training_state"))["run_status"] != "running" or not state["progress"]:
            assert state["run_id"] in (None, run_id)  # the first message may still contain no run
        site.api("POST", "samples/custom", {"prompt": "a blue circle", "steps": 2, "width": 32, "height": 32})
        (sample,) = next_message(socket, "sample_custom")["samples"]
    picture = requests.get(
        f"{site.address}{sample['url']}", headers={"Authorization": f"Token {site.token}"}, timeout=30
    )
    assert picture.content.startswith(b"\x89PNG")
    site.api("POST", "training/stop")
    stopped = site.wait_for_status("stopped")
    site.api("POST", f"runs/{run_id}/resume/")
    resumed = site.wait_for_step(stopped["progress"]["global_step"] + 5)
    assert resumed["run_id"] == run_id
    assert resumed["attempt"] == 2
    site.api("POST", "training/stop")
    site.wait_for_status("stopped")


def test_training_continues_while_the_web_server_is_killed(site, run_id):
    engine = site.process_of("engine.builtin").pid
    site.kill("uvicorn")
    before = site.status()["progress"]["global_step"]
    after = site.wait_for_step(before + 5)
    assert after["attempt"] == 1
    assert site.process_of("engine.builtin").pid == engine


def test_nothing_is_lost_when_the_worker_is_killed(site, run_id):
    engine = site.process_of("engine.builtin").pid
    site.kill("gpu_worker")
    assert site.process_of("gpu_worker"), "another worker"
    site.wait_for_step(site.status()["progress"]["global_step"] + 20)
    assert site.process_of("engine.builtin").pid == engine
    assert site.status()["attempt"] == 1
    steps = steps_measured(site, run_id)
    assert steps == list(range(steps[0], steps[0] + len(steps))), "each step once"


def test_a_killed_training_resumes_from_its_backup(site, run_id):
    site.api("POST", "training/backup")
    backup = wait_for(lambda: artifacts(site, run_id, "backup"), what="the backup")[0]
    site.kill("engine.builtin")
    again = wait_for(lambda: (state := site.status())["attempt"] == 2 and state, what="the second attempt")
    assert again["run_id"] == run_id
    assert site.wait_for_step(backup["global_step"] + 5)["attempt"] == 2


def test_a_killed_training_without_a_backup_is_interrupted(site, run_id):
    site.kill("engine.builtin")
    state = site.wait_for_status("interrupted")
    assert "killed from outside" in state["error"]


def artifacts(site, run_id, kind):
    listed = site.api("GET", f"runs/{run_id}/artifacts/")
    return [artifact for artifact in listed.get("results", listed) if artifact["kind"] == kind]


def steps_measured(site, run_id):
    return site.api("GET", f"runs/{run_id}/metrics/?tag=loss&points=10000")["series"]["loss"]["steps"]
