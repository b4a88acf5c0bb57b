"""`manage.py serve`: the processes that it starts, its messages, and its end."""

from __future__ import annotations

import socket

import pytest
import requests

from tests.waiting import wait_for


def test_serve_signs_in_by_its_link_and_leaves_nothing_behind(make_site):
    site = make_site("whole", bare=True).start("--no-demo")
    assert {"uvicorn", "gpu_worker", "valkey-server"} == {
        name for name in ("uvicorn", "gpu_worker", "valkey-server") if len(site.processes(name)) == 1
    }
    assert requests.get(f"{site.address}/healthz", timeout=30).json()["status"] == "ok"
    assert requests.get(f"{site.address}/", timeout=30).url == f"{site.address}/account/login/?next=/"
    assert requests.head(site.link, timeout=30).ok, "a preview does not use it up"
    assert click(site.link).url == f"{site.address}/"
    assert "has expired" in requests.get(site.link, timeout=30).text, "the link works once"
    assert site.link.split("/")[-2] not in (site.folder / "logs/web.log").read_text()
    assert site.stop() == 0
    assert site.processes() == []


def click(link):
    """Open the link in a new browser and press its button; the page that this leads to."""
    browser = requests.Session()
    browser.get(link, timeout=30)
    return browser.post(link, {"csrfmiddlewaretoken": browser.cookies.get("csrftoken")}, timeout=30)


def test_a_port_in_use_is_reported_before_any_process_starts(make_site):
    site = make_site("no-port")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.launch("--port", str(taken.getsockname()[1]))
        assert site.wait() != 0
    assert "is in use: stop the program that listens there, or choose another port with --port" in site.output
    assert "started" not in site.output
    assert "Traceback" not in site.output


def test_a_data_folder_is_served_only_once(make_site):
    first = make_site("one").start("--no-demo", "--no-worker")
    second = make_site("one")
    second.terminal = second.terminal.with_suffix(".second")
    second.launch()
    assert second.wait() != 0
    assert f"is served already at {first.address}" in second.output
    assert first.stop() == 0


def test_two_sites_run_side_by_side(make_site):
    left, right = make_site("left"), make_site("right")
    left.launch("--no-demo", "--no-worker")
    right.start("--no-demo", "--no-worker")
    wait_for(lambda: "Ctrl-C ends everything" in left.output, 60)
    assert left.address != right.address
    assert left.stop() == 0
    assert requests.get(f"{right.address}/healthz", timeout=30).ok
    assert right.stop() == 0


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_killed_web_server_is_restarted_on_its_port_in_a_deep_folder(make_site, server):
    """The folder's path alone is longer than a Unix socket's may be."""
    site = make_site(f"{server}/{'deep-' * 20}/data").start("--no-demo", "--no-worker", "--server", server)
    site.kill(f"web.servers.with_{server}")
    assert requests.get(f"{site.address}/healthz", timeout=60).json()["channel_layer"] == "ok"
    assert "was killed by SIGKILL; starting it again in 0.5 s" in site.output
    assert site.stop() == 0
    assert site.processes() == []


def test_a_killed_redis_is_restarted(make_site):
    site = make_site("redis").start("--no-demo", "--no-worker")
    site.kill("valkey-server")
    assert site.process_of("valkey-server"), "another one"
    wait_for(lambda: requests.get(f"{site.address}/healthz", timeout=30).ok, what="good health")
    assert site.stop() == 0


def test_no_process_but_a_training_outlives_a_killed_serve(make_site):
    site = make_site("killed").start("--no-demo")
    site.process.kill()
    wait_for(lambda: not site.processes(), what="the end of all parts")
