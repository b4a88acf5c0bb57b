"""Starting the draft: its check is shown as it goes on, then the run is queued, with and without JavaScript."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.timezone import now

from presets.editor.drafts import get_draft
from presets.models import Preflight
from presets.preflight import requests as preflight
from presets.preflight.waiting import Awaited, checker_with
from system.models import Job, Worker
from tests.making import make_living_worker, make_user, trainable_config
from tests.presets.editor.editor_client import send
from training.models import Run
from training.runs import draft_starts
from training.runs.draft_starts import start_checked

pytestmark = pytest.mark.django_db
ADDRESS = "/runs/new/"
HTMX = {"HX-Request": "true"}
FOUND = {"field": "concepts.0.path", "message": "star.png is broken", "severity": "error"}


@pytest.fixture
def user(client, settings):
    settings.PREFLIGHT_SECONDS = 20
    make_living_worker()
    user = make_user(is_staff=True)
    client.force_login(user)
    path = trainable_config()["concepts"][0]["path"]
    concepts = json.dumps([{"name": "stars", "path": path}])
    send(client, ADDRESS, "data", "save", field__concepts=concepts)
    return user


@pytest.fixture
def started(client, user):
    """The page after Start was pressed, while the check goes on."""
    return send(client, ADDRESS, do="start", fact__name="Mine").text


def answer(**result):
    asked = Preflight.objects.get()
    assert asked.take("here:cpu") and asked.end(Job.Status.DONE, "", result=result)


def address():
    return reverse("new-run-start", args=[Preflight.objects.latest("created_at").pk])


def test_the_page_shows_the_check_and_polls_for_more(started):
    assert f'hx-get="{address()}"' in started and "The run starts when its settings" in started
    assert "Waiting for a worker" in started and not Run.objects.exists()


def test_the_part_shows_how_far_the_check_is(client, started):
    asked = Preflight.objects.get()
    asked.take("here:cpu")
    asked.change(result={"stage": "the pictures", "current": 3, "total": 9})
    part = client.get(address(), headers=HTMX).text
    assert "Checking the pictures" in part and "3 of 9" in part and f'hx-get="{address()}"' in part


def test_a_check_without_problems_starts_the_run_automatically(client, started):
    answer(problems=[FOUND | {"severity": "warning"}], estimate={"memory": {"total": 5, "parts": {}}})
    part = client.get(address(), headers=HTMX).text
    assert f'hx-post="{address()}" hx-trigger="load"' in part
    response = client.post(address(), headers=HTMX)
    run = Run.objects.get()
    assert (response.status_code, response["HX-Redirect"]) == (200, run.get_absolute_url())
    assert (run.name, run.status, run.memory_estimate["total"]) == ("Mine", "queued", 5)
    assert Preflight.objects.count() == 1


def test_a_worker_s_finding_stops_the_start_and_is_shown_with_its_field(client, started):
    answer(problems=[FOUND])
    part = client.get(address(), headers=HTMX).text
    assert "The run was not started" in part and "star.png is broken" in part and "Back to the settings" in part
    assert 'data-jump="concepts.0.path"' in part and "hx-get" not in part and "hx-post" not in part
    client.post(address(), headers=HTMX)
    assert not Run.objects.exists()


def test_a_check_that_takes_longer_than_a_start_waits_says_what_happens_next(client, started, settings):
    Preflight.objects.get().take("here:cpu")
    settings.PREFLIGHT_SECONDS = -1
    assert "The run starts when it has ended; press Start the run" in client.get(address()).text


def test_without_javascript_the_check_has_a_page_that_reloads_itself(client, started):
    assert address() in started.split("<noscript>")[-1]
    page = client.get(address()).text
    assert '<meta http-equiv="refresh"' in page and not Run.objects.exists()


def test_without_javascript_the_run_is_started_by_a_button(client, started):
    answer(problems=[])
    page = client.get(address()).text
    assert "Start the run" in page and "hx-post" not in page and "http-equiv" not in page
    assert client.post(address()).url == Run.objects.get().get_absolute_url()


def test_a_second_click_or_a_second_tab_queues_no_second_run(client, started):
    answer(problems=[])
    addresses = {client.post(address()).url for _click in range(2)}
    assert addresses == {Run.objects.get().get_absolute_url()}


def test_a_run_whose_check_no_worker_claims_starts_after_three_seconds(client, started, settings):
    early = client.post(address())
    assert (early.url, Run.objects.count()) == (address(), 0)
    Preflight.objects.update(created_at=now() - timedelta(seconds=settings.PREFLIGHT_CLAIM_SECONDS))
    assert "hx-post" in client.get(address(), headers=HTMX).text
    client.post(address(), headers=HTMX)
    assert Run.objects.get().status == "queued"


def test_a_draft_that_was_changed_during_the_check_is_not_started(client, user, started):
    answer(problems=[])
    draft = get_draft(user)
    draft.config |= {"epochs": 77}
    draft.save()
    assert client.post(address(), headers=HTMX)["HX-Redirect"] == ADDRESS
    assert "changed during the check" in client.get(ADDRESS).text
    assert not Run.objects.exists()


def test_a_check_of_hours_ago_is_made_again_before_the_run_starts(client, started):
    answer(problems=[])
    Preflight.objects.update(created_at=now() - timedelta(hours=2))
    before = address()
    response = client.post(before)
    assert (Run.objects.count(), Preflight.objects.count()) == (0, 2)
    assert response.url == address() != before


def test_without_a_worker_the_run_is_queued_at_once(client, user):
    Worker.objects.all().delete()
    response = send(client, ADDRESS, do="start")
    assert response.url == Run.objects.get().get_absolute_url() and not Preflight.objects.exists()


def test_a_user_cannot_start_another_user_s_check(client, started):
    client.force_login(make_user("bob", is_superuser=False))
    assert client.post(address()).status_code in (403, 404)
    assert not Run.objects.exists()


# -- with the tab closed -------------------------------------------------------------------------------------------


def end_in_worker(**result):
    """The check ends, as a worker notes it."""
    answer(**result)
    start_checked(Job.objects.get())


def test_the_run_is_queued_when_the_check_ends_with_the_tab_closed(user, started):
    end_in_worker(problems=[FOUND | {"severity": "warning"}], estimate={"memory": {"total": 5, "parts": {}}})
    run = Run.objects.get()
    assert (run.name, run.status, run.owner, run.memory_estimate["total"]) == ("Mine", "queued", user, 5)
    assert get_draft(user).facts.get("name") == ""


def test_two_tabs_and_the_worker_queue_one_run_and_both_tabs_follow_to_it(client, started):
    end_in_worker(problems=[])
    run = Run.objects.get()
    for _tab in range(2):
        assert client.get(address(), headers=HTMX)["HX-Redirect"] == run.get_absolute_url()
        assert client.post(address(), headers=HTMX)["HX-Redirect"] == run.get_absolute_url()
    start_checked(Job.objects.get())
    assert Run.objects.count() == 1


def test_a_tab_that_was_faster_than_the_worker_queues_the_only_run(client, started):
    answer(problems=[])
    client.post(address(), headers=HTMX)
    start_checked(Job.objects.get())
    assert Run.objects.count() == 1


def test_without_javascript_the_page_of_the_check_leads_to_the_run(client, started):
    end_in_worker(problems=[])
    assert client.get(address()).headers["Location"] == Run.objects.get().get_absolute_url()


@pytest.mark.parametrize("reason", ["error", "changed draft", "no rights", "only a check"])
def test_nothing_starts_with_the_tab_closed_if(client, user, reason):
    if reason == "only a check":
        send(client, ADDRESS, do="check")
    else:
        send(client, ADDRESS, do="start")
    if reason == "changed draft":
        send(client, ADDRESS, "training", "save", field__epochs="77")
    if reason == "no rights":
        User.objects.update(is_staff=False)
    end_in_worker(problems=[FOUND] if reason == "error" else [])
    assert not Run.objects.exists()


def test_a_check_that_ended_before_the_start_was_noted_queues_its_run_too(client, user, monkeypatch):
    def ended(user, config, engine, resume_from=""):
        asked = preflight.request(user, config, engine)
        assert asked.take("here:cpu") and asked.end(Job.Status.DONE, "", result={"problems": []})
        raise Awaited(asked)

    monkeypatch.setattr(draft_starts, "checker_with", lambda asked: ended if asked is None else checker_with(asked))
    send(client, ADDRESS, do="start", fact__name="Quick")
    assert Run.objects.get().name == "Quick"
