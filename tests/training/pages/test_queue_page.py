"""The queue's page and API: lanes, reasons, times, and what its buttons do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from system.models import Worker
from tests.api import trainer as api_trainer
from tests.api import viewer as api_viewer
from tests.making import make_living_worker, make_preset, make_run, make_user
from tests.queries import queries_of
from training.models import Run
from training.queue.board import read_queue

pytestmark = pytest.mark.django_db


def press(client, run, verb, htmx=False, **data):
    headers = {"HX-Request": "true"} if htmx else {}
    return client.post(reverse("queue-change", args=[run.pk]), {"do": verb, **data}, headers=headers)


def order():
    return [run.name for run in Run.objects.queued()]


def make_worker(name="host:gpu0", **fields):
    return make_living_worker(name=name, host="host", **fields)


def make_past(preset, seconds, epochs=10):
    end = now()
    facts = {"started_at": end - timedelta(seconds=seconds), "ended_at": end, "max_epoch": epochs}
    return make_run("Past", Run.Status.FINISHED, preset=preset, **facts)


def minutes(moment):
    return round((moment - now()).total_seconds() / 60)


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_empty_queue_explains_its_purpose(client, trainer):
    page = client.get(reverse("queue")).text
    assert "The queue is empty" in page and reverse("new-run") in page
    assert "manage.py gpu_worker" in page


def test_each_worker_has_a_lane_with_its_run(client, trainer):
    make_run("Going", Run.Status.RUNNING, worker=make_worker(status="busy"), global_step=5, max_step=10, max_epoch=1)
    make_worker("host:gpu1", drain=True)
    page = client.get(reverse("queue")).text
    assert "Going" in page and "50</span> %" in page
    assert "Takes no new runs" in page


def test_a_worker_that_died_with_a_run_is_shown_as_lost(client, trainer):
    worker = make_worker(status="busy", heartbeat_at=now() - timedelta(minutes=5))
    make_run("Going", Run.Status.RUNNING, worker=worker)
    make_worker("gone", status="offline")
    assert [(lane.worker.name, lane.state) for lane in read_queue().lanes] == [("host:gpu0", "lost")]
    assert "pill-lost" in client.get(reverse("queue")).text


def test_each_run_says_why_it_waits(client, trainer):
    make_run("Stars")
    assert "No worker is running: start one with manage.py gpu_worker." in client.get(reverse("queue")).text
    make_worker()
    assert "Starts when a worker is free." in client.get(reverse("queue")).text


def test_the_number_of_queries_does_not_grow_with_the_queue(client, trainer):
    def add(number):
        before = make_run(f"Going {number}", Run.Status.RUNNING, worker=make_worker(f"host:gpu{number}"))
        make_run(f"Run {number}", owner=trainer, preset=make_preset(f"P {number}"), after_run=before, held_by=trainer)

    add(0)
    few = queries_of(client, reverse("queue"))
    for number in range(1, 12):
        add(number)
    assert len(queries_of(client, reverse("queue"))) == len(few)


@pytest.mark.parametrize(
    ("verb", "after"), [("up", "BAC"), ("down", "ACB"), ("first", "BAC"), ("last", "ACB"), ("cancel", "AC")]
)
def test_buttons_move_and_cancel(client, trainer, verb, after):
    runs = {name: make_run(name) for name in "ABC"}
    assert press(client, runs["B"], verb).url == reverse("queue")
    assert order() == list(after)


def test_a_run_is_dropped_before_another_or_at_the_end(client, trainer):
    a, _b, c = (make_run(name) for name in "ABC")
    press(client, c, "before", before=str(a.pk))
    assert order() == ["C", "A", "B"]
    press(client, c, "before", before="")
    assert order() == ["A", "B", "C"]


def test_a_run_is_held_and_let_go(client, trainer):
    run = make_run("Stars")
    assert "Held by ada." in press(client, run, "hold", htmx=True).text
    assert "Held" not in press(client, run, "release", htmx=True).text


def test_htmx_gets_the_queue_and_the_news_alone(client, trainer):
    response = press(client, make_run("Stars", Run.Status.RUNNING), "up", htmx=True)
    assert response.status_code == 409
    assert "<html" not in response.text and "Only a queued run has a queue position" in response.text


@pytest.mark.parametrize("data", [{"do": "explode"}, {"do": "before", "before": "x"}, {}])
def test_nonsense_is_refused_with_a_sentence(client, trainer, data):
    run = make_run("Stars")
    response = client.post(reverse("queue-change", args=[run.pk]), data, headers={"HX-Request": "true"})
    assert response.status_code == 400 and 'role="alert"' in response.text


def test_a_viewer_sees_the_queue_and_changes_nothing(client):
    client.force_login(make_user("vera"))
    run = make_run("Stars")
    assert reverse("queue-change", args=[run.pk]) not in client.get(reverse("queue")).text
    assert press(client, run, "hold").status_code == 403
    assert client.post(reverse("queue-plan", args=[run.pk])).status_code == 403


def test_a_run_is_planned(client, trainer):
    run, before = make_run("Stars"), make_run("Before", Run.Status.RUNNING)
    address = reverse("queue-plan", args=[run.pk])
    assert 'value="0"' in client.get(address).text
    assert "Before" in client.get(address).text
    data = {"priority": "7", "start_after": "2031-02-03T04:05", "after_run": str(before.pk), "after_end": "ended"}
    assert client.post(address, data).url == reverse("queue")
    run.refresh_from_db()
    assert (run.priority, run.after_run, run.after_end) == (7, before, "ended")
    assert run.start_after.isoformat() == "2031-02-03T04:05:00+00:00"
    assert 'value="2031-02-03T04:05"' in client.get(address).text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"priority": "high"}, "whole number from -1000 to 1000"),
        ({"start_after": "tomorrow"}, "Enter both a date and a time"),
        ({"start_after": "2031-13-01T00:00"}, "Enter both a date and a time"),
        ({"after_run": "x"}, "no longer exists"),
    ],
)
def test_a_bad_plan_is_reported_and_the_input_is_kept(client, trainer, data, sentence):
    run = make_run("Stars")
    response = client.post(reverse("queue-plan", args=[run.pk]), {"priority": "3", **data})
    assert response.status_code == 400 and sentence in response.text


# -- what starts when ----------------------------------------------------------------------------------------------


def test_times_are_estimated_from_the_running_run_and_from_runs_of_the_same_preset():
    preset = make_preset()
    make_past(preset, 600)
    facts = {"max_step": 100, "max_epoch": 1, "global_step": 40, "seconds_per_step": 2.0}
    make_run("Going", Run.Status.RUNNING, worker=make_worker(status="busy"), **facts)
    first, second = (make_run(name, preset=preset, max_epoch=20) for name in ("First", "Second"))
    waiting = read_queue().waiting
    assert [(one.run, minutes(one.starts_at), minutes(one.ends_at)) for one in waiting] == [
        (first, 2, 22),
        (second, 22, 42),
    ]


def test_the_first_free_worker_takes_the_next_run():
    preset = make_preset()
    make_past(preset, 600)
    make_worker("a", status="busy")
    make_worker("b")
    slow = {"max_step": 100, "max_epoch": 1, "global_step": 40, "seconds_per_step": 100.0}
    make_run("Going", Run.Status.RUNNING, worker=Worker.objects.get(name="a"), **slow)
    for name in ("First", "Second"):
        make_run(name, preset=preset, max_epoch=10)
    assert [(one.worker, minutes(one.starts_at)) for one in read_queue().waiting] == [("b", 0), ("b", 10)]


def test_each_lane_names_its_next_run_and_each_run_its_worker(client, trainer):
    preset = make_preset()
    make_past(preset, 600)
    make_worker("a")
    make_worker("b")
    for name in ("First", "Second", "Third"):
        make_run(name, preset=preset, max_epoch=10)
    assert [[one.run.name for one in lane.coming] for lane in read_queue().lanes] == [["First", "Third"], ["Second"]]
    page = client.get(reverse("queue")).text
    assert "and 1 more after it" in page and "starts now on b" in page


def test_a_held_run_is_passed_over_and_a_planned_one_starts_at_its_time():
    preset = make_preset()
    make_past(preset, 600)
    make_worker()
    make_run("Held", preset=preset, max_epoch=10, held_at=now())
    make_run("Late", preset=preset, max_epoch=10, start_after=now() + timedelta(minutes=30))
    make_run("Soon", preset=preset, max_epoch=10)
    found = {one.run.name: one.starts_at and minutes(one.starts_at) for one in read_queue().waiting}
    assert found == {"Held": None, "Late": 30, "Soon": 0}


def test_a_run_after_another_starts_when_that_ends():
    preset = make_preset()
    make_past(preset, 600)
    make_worker("a")
    make_worker("b")
    before = make_run("Before", preset=preset, max_epoch=10)
    make_run("After", preset=preset, max_epoch=10, after_run=before)
    assert [minutes(one.starts_at) for one in read_queue().waiting] == [0, 10]


def test_without_runs_like_it_no_time_is_made_up():
    make_worker()
    make_run("First")
    make_run("Second")
    assert [one.starts_at and minutes(one.starts_at) for one in read_queue().waiting] == [0, None]


# -- the API -------------------------------------------------------------------------------------------------------


def test_the_api_moves_holds_and_plans():
    client = api_trainer()
    a, b = make_run("A"), make_run("B")
    answer = client.patch(f"/api/queue/{b.pk}", {"position": 1, "held": True, "after_run": str(a.pk)})
    assert answer.status_code == 200
    first = answer.json()["waiting"][0]
    assert (first["name"], first["held"], first["after_run"], first["reason"]) == ("B", True, str(a.pk), "Held by ada.")
    answer = client.patch(f"/api/queue/{b.pk}", {"held": False, "after_run": None, "position": 99})
    assert [(one["name"], one["position"]) for one in answer.json()["waiting"]] == [("A", 1), ("B", 2)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"position": 0}, 400),
        ({"start_after": "soon"}, 400),
        ({"after_run": "00000000-0000-4000-8000-000000000000"}, 400),
        ({"after_end": "maybe"}, 400),
        ({"name": "x"}, 400),
        ([], 400),
    ],
)
def test_the_api_refuses_nonsense_with_a_sentence(body, status):
    answer = api_trainer().patch(f"/api/queue/{make_run().pk}", body)
    assert answer.status_code == status and answer.json()["detail"]


def test_the_api_refuses_runs_that_do_not_wait_and_users_who_may_only_view():
    run = make_run("Going", Run.Status.RUNNING)
    assert api_trainer().patch(f"/api/queue/{run.pk}", {"held": True}).status_code == 409
    assert api_trainer("bob").patch(f"/api/queue/{run.pk}", {"position": 1}).status_code == 409
    assert api_viewer().patch(f"/api/queue/{run.pk}", {"held": True}).status_code == 403
    assert api_viewer("vic").get("/api/queue").status_code == 200


def test_a_move_that_changes_the_priority_says_so(client, trainer):
    first, second = make_run("First", priority=5), make_run("Second")
    assert "“Second” now has priority 5" in press(client, second, "before", htmx=True, before=first.pk).text
    assert "priority" not in press(client, second, "up", htmx=True).text.split("queue-list")[0]
