"""The end of a site while it trains: with a backup, at once, or by a kill."""

from __future__ import annotations

import psutil
import pytest

from tests.waiting import wait_for


@pytest.fixture(scope="module")
def ending(make_site):
    return make_site("ending")


@pytest.fixture
def site(ending, config):
    """A site that trains; processes that still run from the previous test are used again."""
    if not ending.running:
        ending.start("--no-demo")
    if not ending.status()["is_training"]:
        ending.start_run(config)
    ending.wait_for_step(5)
    return ending


def has_backup(site, run_id):
    return any(site.folder.glob(f"runs/{run_id}/**/backup*/*"))


def test_the_first_ctrl_c_lets_the_training_make_a_backup(site):
    run_id = site.status()["run_id"]
    assert site.stop() == 0
    assert site.processes() == []
    assert "A running training writes a backup first" in site.output
    assert "Ending at once" not in site.output
    assert has_backup(site, run_id)
    site.start()
    assert site.status()["run_status"] == "stopped"


def test_the_second_ctrl_c_ends_everything_at_once(site):
    engine = site.process_of("engine.builtin")
    engine.suspend()  # so that it cannot end
    site.interrupt()
    wait_for(lambda: "press Ctrl-C again" in site.output)
    wait_for(lambda: site.status()["run_status"] == "stopping")
    assert site.running
    wait_for(lambda: site.interrupt() or "Ending at once" in site.output)
    assert site.wait() == 0
    assert site.processes() == []


def test_a_signal_that_arrives_twice_counts_once(site):
    """As if a service manager signals every process, and the supervisor signals its workers again."""
    run_id = site.status()["run_id"]
    for process in [site.process_of("gpu_worker"), psutil.Process(site.process.pid)]:
        process.terminate()
    site.process.terminate()
    assert site.wait() == 0
    assert "Ending at once" not in site.output
    assert has_backup(site, run_id)


def test_a_training_outlives_a_killed_serve_and_is_found_again(site):
    before = site.status()
    engine = site.process_of("engine.builtin").pid
    site.process.kill()
    wait_for(lambda: [p.pid for p in site.processes()] == [engine], what="the end of all but the training")
    site.start("--no-demo")
    after = site.wait_for_step(before["progress"]["global_step"] + 20)
    assert after["run_id"] == before["run_id"]
    assert after["attempt"] == 1
    assert site.process_of("engine.builtin").pid == engine


def test_a_training_whose_worker_is_dead_is_ended_too(site):
    """The worker is killed repeatedly, until the pause before its restart is long enough for the stop."""
    for _ in range(4):
        site.kill("gpu_worker")
    assert site.processes("engine.builtin")
    assert site.stop() == 0
    assert site.processes() == []
