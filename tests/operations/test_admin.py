"""Workers in the admin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from system.models import Job
from tests.making import make_living_worker, make_run, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/system/worker/"


@pytest.fixture
def admin(client):
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def make_worker(name="host:gpu0", **fields):
    return make_living_worker(name=name, host="host", **fields)


def choose(client, action, *workers):
    client.post(LIST, {"action": action, "index": 0, "_selected_action": [worker.pk for worker in workers]})


def test_the_list_shows_each_workers_status_and_current_run(admin):
    worker = make_worker(status="busy")
    make_run("Stars", "running", worker=worker)
    make_run("Old one", "finished", worker=worker)
    page = admin.get(LIST).content.decode()
    assert '<span class="pill pill-busy">busy</span>' in page
    assert ">Stars</a>" in page and "Old one" not in page


def test_a_worker_that_fell_silent_is_said_to_have_no_heartbeat(admin):
    make_worker(status="busy", heartbeat_at=now() - timedelta(minutes=5))
    page = admin.get(LIST).content.decode()
    assert "no heartbeat" in page and "5\xa0minutes ago" in page


def test_the_list_needs_as_many_queries_for_many_workers_as_for_few(admin, django_assert_max_num_queries):
    for number in range(30):
        make_run(f"Run {number}", "running", worker=make_worker(f"host:gpu{number}"))
    with django_assert_max_num_queries(12):
        admin.get(LIST)


def test_a_worker_can_be_drained_and_undrained(admin):
    worker = make_worker()
    choose(admin, "start_draining", worker)
    worker.refresh_from_db()
    assert worker.drain
    choose(admin, "stop_draining", worker)
    worker.refresh_from_db()
    assert not worker.drain


def test_staff_who_may_only_look_cannot_drain(client):
    client.force_login(make_user(is_staff=True, permissions=("view_worker",)))
    worker = make_worker()
    assert client.get(LIST).status_code == 200
    choose(client, "start_draining", worker)
    worker.refresh_from_db()
    assert not worker.drain


def test_a_worker_cannot_be_edited_or_deleted(admin):
    worker = make_worker()
    assert admin.post(reverse("admin:system_worker_change", args=[worker.pk]), {"name": "other"}).status_code == 403
    assert admin.post(reverse("admin:system_worker_delete", args=[worker.pk]), {"post": "yes"}).status_code == 403


def test_jobs_are_shown_with_their_results(admin):
    job = Job.objects.create(kind=Job.Kind.IMPORT, host="host", status=Job.Status.FAILED, detail="It holds nothing.")
    page = admin.get("/admin/system/job/").content.decode()
    assert "It holds nothing." in page and "failed" in page
    assert admin.get(f"/admin/system/job/{job.pk}/change/").status_code == 200
