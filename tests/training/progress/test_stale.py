"""What is said of a run whose worker is silent, or whose process was stopped by a signal."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from system.models import Worker
from tests.making import make_run, make_user
from training.models import Run
from training.progress.state import state_of, why_stale

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    worker = Worker.objects.create(name="host:gpu0", host="host", status=Worker.Status.BUSY)
    return make_run(status=Run.Status.RUNNING, worker=worker)


def test_all_is_well_while_the_worker_speaks(run):
    assert state_of(run)["stale"] == ""


def test_a_silent_worker_is_reported(run):
    Worker.objects.update(heartbeat_at=now() - timedelta(seconds=12))
    assert "Worker host:gpu0 has not reported since" in state_of(Run.objects.get())["stale"]


def test_a_suspended_process_does_not_look_as_if_it_trained(run):
    Worker.objects.update(resources={"suspended": 4711})
    assert "kill -CONT 4711" in state_of(Run.objects.get())["stale"]


def test_an_ended_run_needs_no_worker(run):
    Worker.objects.update(heartbeat_at=now() - timedelta(days=1))
    run.move_to(Run.Status.FINISHED)
    assert why_stale(run) == ""


def test_the_pages_say_it(run, client):
    client.force_login(make_user())
    Worker.objects.update(heartbeat_at=now() - timedelta(seconds=12))
    for page in ("/", run.get_absolute_url()):
        assert "Worker host:gpu0 has not reported" in client.get(page).content.decode()
