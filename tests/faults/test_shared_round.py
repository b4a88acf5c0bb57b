"""A quick round on a separate PostgreSQL and Redis: a set-up of several hosts, here on one."""

from __future__ import annotations

import pytest

from tests.faults.plans import SHORT_TRAINING, Fault, Plan
from tests.faults.rounds import Round
from tests.faults.shared_world import SharedWorld
from tests.needs import needs_postgres, needs_redis

pytestmark = [needs_postgres, needs_redis]
TRAINING = SHORT_TRAINING | {"epochs": 30}
FAULTS = (
    Fault("cut wire", 15, 0),
    Fault("kill redis", 20, 0, lasts=0.2),
    Fault("kill engine", 60, 0),
    Fault("kill postgres", 90, 0, lasts=0.5),
)


@pytest.fixture
def world(demo_folder):
    world = SharedWorld(demo_folder)
    yield world.start()
    world.close()


def test_no_event_is_lost_when_servers_are_killed_and_cut_off(world, config):
    result = Round(world, Plan(0, FAULTS), config | TRAINING).play()
    assert [one.fault for one in result.injected] == list(FAULTS)
    assert result.findings.sentences == [], result.report()
    assert result.status == "finished"
    assert world.site.processes("valkey-server") == [], "the embedded one"
    assert not (world.site.folder / "db.sqlite3").exists()
