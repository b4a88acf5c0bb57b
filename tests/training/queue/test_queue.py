"""The queue: which run starts next, moving and holding those that wait, planning them, and why one waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from tests.making import make_run, make_user
from training.models import Run, RunQuerySet
from training.progress.waiting import reason
from training.queue.service import QueueService
from training.runs.notes import RunNotes
from training.runs.removal import delete_run
from web.errors import BadInput, NotNow

pytestmark = pytest.mark.django_db


@pytest.fixture
def service():
    return QueueService(make_user())


def claim():
    """As a worker does."""
    return next((run for candidate in Run.objects.ready() if (run := Run.objects.claim(candidate))), None)


def order():
    return [run.name for run in Run.objects.queued()]


def three(**fields):
    return [make_run(name, queued_at=now() + timedelta(seconds=n), **fields) for n, name in enumerate("ABC", start=-9)]


def test_those_that_were_queued_first_start_first():
    three()
    assert order() == ["A", "B", "C"]
    make_run("D", priority=1)
    assert order() == ["D", "A", "B", "C"]


@pytest.mark.parametrize(
    ("name", "way", "after"),
    [
        ("B", "up", "BAC"),
        ("B", "down", "ACB"),
        ("A", "up", "ABC"),
        ("C", "down", "ABC"),
        ("C", "first", "CAB"),
        ("A", "last", "BCA"),
    ],
)
def test_a_run_is_moved(service, name, way, after):
    runs = {run.name: run for run in three()}
    service.move_by(runs[name], way)
    assert order() == list(after)


def test_a_run_that_comes_later_goes_behind_those_that_were_moved(service):
    runs = three()
    service.move_in_queue(runs[2], runs[0])
    make_run("D")
    assert order() == ["C", "A", "B", "D"]


def test_a_run_takes_on_the_priority_of_its_place(service):
    first = make_run("First", priority=5)
    _a, _, c = three()
    assert service.move_in_queue(c, first) == 5
    assert c.events.get(kind="planned").data == {"place": 1, "priority": 5}
    assert order() == ["C", "First", "A", "B"]
    service.move_in_queue(first, None)
    assert order() == ["C", "A", "B", "First"]
    assert list(Run.objects.queued().values_list("priority", flat=True)) == [5, 0, 0, 0]


def test_another_priority_forgets_the_place(service):
    a, b, c = three()
    service.move_in_queue(c, a)
    RunNotes(service.user).edit_run(a, {"priority": 3})
    service.plan_run(b, {"priority": 2})
    assert order() == ["A", "B", "C"]


def test_a_run_that_does_not_wait_is_not_moved_held_or_waited_for(service):
    running, waiting = make_run("Going", Run.Status.RUNNING), make_run()
    for refused in (
        lambda: service.move_by(running, "up"),
        lambda: service.move_in_queue(running, waiting),
        lambda: service.move_in_queue(waiting, running),
        lambda: service.plan_run(running, {"held": True}),
    ):
        with pytest.raises(NotNow):
            refused()
    with pytest.raises(BadInput):
        service.move_by(waiting, "sideways")


def test_a_held_run_does_not_start_until_it_is_let_go(service):
    run = make_run()
    service.plan_run(run, {"held": True})
    assert claim() is None
    assert reason(run, []) == "Held by ada."
    service.plan_run(run, {"held": False})
    assert claim() == run


def test_a_run_does_not_start_before_its_time(service):
    run = make_run()
    service.plan_run(run, {"start_after": now() + timedelta(hours=1)})
    assert not Run.objects.ready().exists()
    assert reason(run, []).startswith("Not before ")
    service.plan_run(run, {"start_after": now() - timedelta(seconds=1)})
    assert claim() == run


@pytest.mark.parametrize(
    ("status", "after_end", "starts"),
    [
        (Run.Status.RUNNING, "finished", False),
        (Run.Status.FINISHED, "finished", True),
        (Run.Status.FAILED, "finished", False),
        (Run.Status.FAILED, "ended", True),
        (Run.Status.QUEUED, "ended", False),
    ],
)
def test_a_run_starts_after_another(service, status, after_end, starts):
    before, run = make_run("Before", status, held_at=now()), make_run("After")
    run = service.plan_run(run, {"after_run": before, "after_end": after_end})
    assert (run in Run.objects.ready()) is starts
    assert run.comes_after_it is starts
    assert ("Waits for “Before”" in reason(run, [])) is not starts


def test_a_run_whose_forerunner_was_deleted_starts(service):
    before, run = make_run("Before", Run.Status.FAILED), make_run()
    service.plan_run(run, {"after_run": before})
    delete_run(before)
    assert claim() == run


def test_runs_never_wait_for_one_another_in_a_circle(service):
    a, b, c = three()
    service.plan_run(b, {"after_run": a})
    service.plan_run(c, {"after_run": b})
    for before in (a, c):
        with pytest.raises(BadInput, match="wait for itself"):
            service.plan_run(a, {"after_run": before})


def test_a_cancelled_run_that_is_queued_again_has_no_plan_any_more(service):
    run = make_run()
    service.plan_run(run, {"held": True, "start_after": now() + timedelta(days=1)})
    service.cancel(run)
    run.refresh_from_db()
    assert (run.held_at, run.held_by, run.start_after) == (None, None, None)


def test_the_timeline_shows_who_planned_what(service):
    before, run = make_run("Before"), make_run()
    service.plan_run(run, {"after_run": before})
    event = run.events.get(kind="planned")
    assert (event.user, event.data) == (service.user, {"after_run": "Before"})


class FreeWorker:
    drain, status = False, "idle"


class DrainingWorker:
    drain, status = True, "busy"


def test_without_a_worker_the_reason_says_how_to_start_one():
    run = make_run()
    assert "manage.py gpu_worker" in reason(run, [])
    assert "draining" in reason(run, [DrainingWorker()])
    assert reason(run, [FreeWorker(), DrainingWorker()]) == "Starts when a worker is free."


def test_a_run_that_is_held_while_it_is_claimed_stays(monkeypatch):
    first, second = make_run("First", priority=1), make_run("Second")
    lock = RunQuerySet.select_for_update

    def hold_first(self, **options):
        Run.objects.filter(pk=first.pk).update(held_at=now())
        return lock(self, **options)

    monkeypatch.setattr(RunQuerySet, "select_for_update", hold_first)
    assert claim() == second
    first.refresh_from_db()
    assert first.status == Run.Status.QUEUED


def test_a_run_that_another_worker_claims_at_the_same_time_is_claimed_once(monkeypatch):
    run = make_run()
    lock = RunQuerySet.select_for_update

    def claim_first(self, **options):
        Run.objects.filter(pk=run.pk).update(status=Run.Status.STARTING, attempt=1)
        return lock(self, **options)

    monkeypatch.setattr(RunQuerySet, "select_for_update", claim_first)
    assert claim() is None
    assert run.events.filter(kind="status_changed").count() == 0
