"""Sessions that an attacker fixed, kept or stole."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.making import make_user

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery staple"


@pytest.fixture
def ada():
    return make_user("ada", password=GOOD)


def signed_in(ada):
    client = Client()
    client.force_login(ada)
    return client


def is_in(client):
    return client.get("/account/").status_code == 200


def test_signing_in_changes_the_session_key(ada):
    client = Client()
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    client.force_login(ada)
    assert client.session.session_key != session.session_key
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert not is_in(thief)


def test_a_session_is_void_after_signing_out(ada):
    client = signed_in(ada)
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert is_in(thief)
    client.post(reverse("sign-out"))
    assert not is_in(thief)


def test_the_sessions_of_a_blocked_account_end(ada):
    client = signed_in(ada)
    ada.is_active = False
    ada.save()
    assert not is_in(client)


def test_a_new_password_ends_the_other_sessions(ada):
    here, elsewhere = signed_in(ada), signed_in(ada)
    fields = {"old_password": GOOD, "new_password1": "another good one", "new_password2": "another good one"}
    assert here.post("/account/", fields).status_code == 302
    assert is_in(here) and not is_in(elsewhere)


@pytest.mark.parametrize("path", ["/", "/runs/", "/account/", "/system/", "/admin/"])
def test_every_page_offers_to_sign_out(clients, path):
    page = clients["admin"].get(path).text
    assert reverse("sign-out") in page or "/admin/logout/" in page


def test_nobody_is_signed_out_by_a_picture(ada):
    client = signed_in(ada)
    client.get(reverse("sign-out"))
    assert is_in(client)


@pytest.mark.parametrize("key", ["", "x", "' OR 1=1 --", "../../etc/passwd", "\x00", "a" * 10_000])
def test_a_made_up_session_key_is_nobody(key):
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert not is_in(client)
