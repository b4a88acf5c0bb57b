"""A few quick rounds; `make test-faults` runs many longer rounds."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.faults.invariants import examine
from tests.faults.plans import SHORT_TRAINING, Fault, Plan, decks, is_shared, make_plan
from tests.faults.rounds import Round
from tests.faults.world import World


@pytest.fixture(scope="module")
def world(demo_folder):
    world = World(demo_folder)
    yield world.start()
    world.close()


@pytest.fixture(scope="module")
def round_(world, config):
    """A run whose site is killed process by process, and then its engine, which leaves half a line."""
    faults = [Fault("kill worker", 40, 0), Fault("kill web", 45, 0), Fault("kill redis", 50, 0)]
    plan = Plan(0, (*faults, Fault("tear journal", 90, 0)))
    one = Round(world, plan, config | SHORT_TRAINING)
    one.play()
    return one


def test_no_event_is_lost_when_any_process_is_killed(round_):
    assert [one.fault for one in round_.result.injected] == list(round_.plan.faults)
    assert round_.result.findings.sentences == [], round_.result.report()
    assert round_.result.status == "finished"


def test_lost_and_duplicate_events_are_found(world, round_):
    """The checks find errors, so a round without errors has a meaning."""
    with closing(sqlite3.connect(world.site.folder / "db.sqlite3")) as database:
        database.execute("DELETE FROM training_metric WHERE tag = 'loss' AND step = 20")
        database.execute("UPDATE samples_sample SET sequence = sequence + 1000 WHERE attempt = 1")
        database.commit()
    findings = examine(world, round_.run_id, round_.shadow, round_.backup_interval)
    assert findings.lost >= 2
    assert findings.doubled >= 1


def test_sqlite_is_never_locked_for_a_user(world, round_):
    """While other processes hold the database's write lock half of the time, all requests wait and none fails."""
    ending = threading.Event()
    with ThreadPoolExecutor(12) as pool:
        rivals = [pool.submit(hold_the_lock, world, ending) for _ in range(2)]
        path = f"/api/runs/{round_.run_id}/"
        calls = [pool.submit(world.call, "PATCH", path, {"notes": str(number)}) for number in range(20)]
        answers = {call.result() for call in calls}
        ending.set()
    assert all(rival.result() for rival in rivals)
    assert answers == {200}
    for name in ("web", "worker-cpu"):
        assert "locked" not in (world.site.folder / "logs" / f"{name}.log").read_text()


def hold_the_lock(world, ending):
    """Return how often the lock was held."""
    held = 0
    with closing(sqlite3.connect(world.site.folder / "db.sqlite3", timeout=60, isolation_level=None)) as database:
        while not ending.wait(0.15):
            database.execute("BEGIN IMMEDIATE")
            time.sleep(0.05)
            database.execute("COMMIT")
            held += 1
    return held


def test_a_plan_follows_from_its_seed():
    assert make_plan(7) == make_plan(7)
    assert make_plan(7) != make_plan(8)


@pytest.mark.parametrize("first", [1, 8, 1000])
@pytest.mark.parametrize("shared", [False, True])
def test_any_thirty_rounds_try_every_kind_of_fault_in_each_sort_of_site(first, shared):
    seeds = [seed for seed in range(first, first + 30) if is_shared(seed) == shared]
    tried = {fault.kind for seed in seeds for fault in make_plan(seed).faults}
    assert tried == set().union(*decks(int(not shared)))
