"""Two workers with different host names that share a database and a data folder."""

from __future__ import annotations

import signal
import sqlite3
import subprocess

import psutil
import pytest
from django.conf import settings

from tests.integration.site import MANAGE
from tests.waiting import wait_for


@pytest.fixture
def site(make_site):
    site = make_site("hosts", LEASE_SECONDS="3").start("--no-demo", "--no-worker")
    yield site
    site.stop()


@pytest.fixture
def start_worker(site):
    """Start the worker of a host, and wait for its first heartbeat."""
    started = []

    def start(host):
        environment = {**site.environment, "HOST_NAME": host}
        command = [*MANAGE, "gpu_worker", "--name", f"{host}:cpu"]
        started.append(subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, start_new_session=True))
        wait_for(lambda: f"{host}:cpu" in [row["name"] for row in site.api("GET", "workers/")["results"]], 120, host)
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def freeze(worker, site):
    """Freeze it between two transactions: an open transaction would lock the database while it is frozen."""
    database = sqlite3.connect(site.folder / "db.sqlite3", timeout=0, isolation_level=None)

    def is_frozen_and_holds_no_lock():
        worker.send_signal(signal.SIGSTOP)
        wait_for(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED, what="the standstill")
        try:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
        except sqlite3.OperationalError:
            worker.send_signal(signal.SIGCONT)
            return False
        return True

    wait_for(is_frozen_and_holds_no_lock, what="a moment without a lock")
    database.close()


def test_a_run_is_resumed_on_another_host_when_its_host_has_vanished(site, config, start_worker):
    """The worker is cut off and its process dies; then the host never returns, and another host resumes the run."""
    alpha = start_worker("alpha")
    run_id = site.start_run(config)
    site.wait_for_step(3)
    site.api("POST", "training/backup")
    wait_for(lambda: site.api("GET", f"runs/{run_id}/artifacts/")["results"], 120, "the backup")
    freeze(alpha, site)
    engine = site.process_of("engine.builtin")
    engine.kill()
    lost = wait_for(lambda: (run := site.run(run_id))["error_reason"] == "lost_worker" and run, 120, "the loss")
    assert (lost["status"], "alpha" in lost["error"]) == ("interrupted", True)
    alpha.kill()
    alpha.wait()
    start_worker("beta")
    again = wait_for(lambda: (run := site.run(run_id))["attempt"] == 2 and run, 120, "the second attempt")
    assert again["worker"] == "beta:cpu"
    assert site.wait_for_step(3)["attempt"] == 2
    site.api("POST", "training/stop", {"now": True})
    site.wait_for_status("stopped")
    assert site.run(run_id)["error_reason"] == "stop_now"
