"""The dashboard, the system page, signing in, and the account."""

from __future__ import annotations

import pytest
from django.urls import reverse

from system.account import links
from system.models import Worker
from tests.making import make_living_worker, make_run, make_user
from training.models import Metric, Run

pytestmark = pytest.mark.django_db
PASSWORD = "a long and winding password"


@pytest.fixture
def user(client):
    user = make_user(is_staff=True, password=PASSWORD)
    client.force_login(user)
    return user


def link_for(user):
    return links.path_for(user)


def test_the_empty_dashboard_says_what_to_do(client, user):
    page = client.get("/").text
    assert "No runs yet" in page
    assert "No worker is connected" in page
    assert "No samples yet" in page
    assert reverse("new-run") in page


def test_the_dashboard_shows_the_running_run_with_its_numbers_and_buttons(client, user):
    make_living_worker(name="gpu0", host="here")
    run = make_run(
        status=Run.Status.RUNNING,
        phase="training",
        max_step=10,
        max_epoch=4,
        global_step=20,
        epoch=2,
        loss=0.25,
        steps_per_second=0.5,
        seconds_per_step=2.0,
    )
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="loss", step=step, value=1.0, time=step) for step in range(20)
    )
    page = client.get("/").text
    assert "50</span> %" in page
    assert "2.00 s/step" in page
    assert "40 s" in page
    assert "<polyline" in page
    assert "No worker is connected" not in page
    for verb in ("stop", "pause", "sample", "backup", "save"):
        assert reverse("run-action", args=[run.pk, verb]) in page


def test_the_dashboard_offers_continue_for_a_paused_run(client, user):
    run = make_run(status=Run.Status.PAUSED)
    page = client.get("/").text
    assert reverse("run-action", args=[run.pk, "continue"]) in page
    assert reverse("run-action", args=[run.pk, "pause"]) not in page


def test_the_dashboard_lists_the_queue_in_its_order(client, user):
    make_run("Moons, later")
    make_run("Stars, sooner", priority=5)
    page = client.get("/").text
    assert page.index("Stars, sooner") < page.index("Moons, later")


def test_the_dashboard_shows_the_last_run_and_its_error_when_nothing_trains(client, user):
    make_run("Broken", Run.Status.FAILED, error="The disk is full: make room.")
    assert "The disk is full: make room." in client.get("/").text


def test_htmx_gets_the_dashboard_without_its_frame(client, user):
    assert "<html" not in client.get("/", headers={"HX-Request": "true"}).text


def test_names_are_escaped(client, user):
    make_run("<script>alert(1)</script>", Run.Status.RUNNING)
    assert "<script>alert" not in client.get("/").text


def test_pages_let_browsers_run_only_our_own_scripts(client, user):
    response = client.get("/")
    assert response["Content-Security-Policy"].startswith("default-src 'self'")
    assert "style=" not in response.text
    assert "onclick=" not in response.text


def test_the_system_page_shows_workers_and_versions(client, user):
    worker = make_living_worker(name="gpu0", host="here", device_name="A card", status="busy")
    make_run("Stars", Run.Status.RUNNING, worker=worker)
    page = client.get(reverse("system")).text
    assert "A card" in page and "Stars" in page and "torch" in page


def test_a_worker_without_heartbeat_is_shown_as_lost(client, user):
    worker = make_living_worker(name="gpu0", host="here", status="busy")
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at="2020-01-01T00:00:00Z")
    assert "pill-lost" in client.get(reverse("system")).text


def test_the_meters_come_alone(client, user):
    page = client.get(reverse("resources")).text
    assert "<meter" in page and "<html" not in page


def test_one_signs_in_with_a_password_and_gets_where_one_wanted_to(client):
    make_user(password=PASSWORD)
    response = client.post(reverse("sign-in"), {"username": "ada", "password": PASSWORD, "next": reverse("samples")})
    assert response.url == reverse("samples")


def test_a_wrong_password_is_reported_and_the_name_is_kept(client):
    page = client.post(reverse("sign-in"), {"username": "ada", "password": "wrong"}).text
    assert 'role="alert"' in page
    assert 'value="ada"' in page


def test_the_sign_in_link_works_once(client):
    address = link_for(make_user())
    assert client.post(address).url == "/"
    assert client.get("/").status_code == 200
    client.logout()
    assert client.post(address).status_code == 400
    assert client.get("/").status_code == 302


def test_looking_at_the_link_does_not_use_it_up(client):
    address = link_for(make_user())
    for look in (client.head, client.get, client.get):
        assert look(address).status_code == 200
        assert client.get("/").status_code == 302, "nobody is signed in by a preview"
    assert client.post(address).url == "/"


def test_a_link_lives_for_the_minutes_of_the_setting(client, settings):
    address = link_for(make_user())
    settings.SIGN_IN_LINK_MINUTES = -1
    assert client.post(address).status_code == 400
    assert "has expired" in client.get(address).text


@pytest.mark.parametrize("uid", ["MQ", "!!", "w4M", "OTk5OQ"])
def test_a_made_up_link_signs_nobody_in(client, uid):
    address = reverse("sign-in-link", args=[uid, "abc-def"])
    assert "was used already or has expired" in client.get(address).text
    assert client.post(address).status_code == 400


def test_a_link_of_a_blocked_user_signs_nobody_in(client):
    user = make_user()
    address = link_for(user)
    user.is_active = False
    user.save()
    assert client.post(address).status_code == 400


def test_a_user_who_signed_in_by_a_link_is_asked_to_set_a_password_and_can(client):
    user = make_user()
    assert "Set a password" in client.post(link_for(user), follow=True).text
    response = client.post(reverse("account"), {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert client.get("/").status_code == 200, "the present session goes on"


def test_a_wrong_old_password_is_reported_beside_its_field(client, user):
    data = {"old_password": "wrong", "new_password1": PASSWORD + "2", "new_password2": PASSWORD + "2"}
    response = client.post(reverse("account"), data)
    assert response.status_code == 400
    assert "id_old_password-error" in response.text


def test_signing_out_leads_to_sign_in(client, user):
    assert client.post(reverse("sign-out")).url == reverse("sign-in")
    assert client.get("/").status_code == 302


def test_an_unknown_address_is_a_page_with_a_sentence(client, user):
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.text
