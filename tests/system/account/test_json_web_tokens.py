"""JSON Web Tokens: short, rotated, revocable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now
from rest_framework.test import APIClient

from system.models import ApiToken
from tests.making import make_token, make_user

pytestmark = pytest.mark.django_db
RIGHT = "right horse battery"


def api(key=""):
    client = APIClient(raise_request_exception=False, headers={"authorization": f"Bearer {key}"} if key else {})
    client.default_format = "json"
    return client


@pytest.fixture
def user():
    return make_user(password=RIGHT, is_staff=True)


@pytest.fixture
def pair(user):
    return api().post("/api/auth/token", {"username": "ada", "password": RIGHT}).json()


def test_a_name_and_a_password_give_a_pair_that_signs_in(pair):
    assert pair["expires_in"] == 300 and pair["scope"] == "admin"
    assert api(pair["access"]).get("/api/me").json()["username"] == "ada"
    assert api(pair["refresh"]).get("/api/me").status_code == 401, "it is for refreshing alone"


def test_a_personal_token_gives_a_pair_with_its_scope_at_most(user):
    client = api(make_token(user, "train"))
    assert client.post("/api/auth/token").json()["scope"] == "train"
    assert client.post("/api/auth/token", {"scope": "admin"}).status_code == 403
    pair = client.post("/api/auth/token", {"scope": "read"}).json()
    assert api(pair["access"]).post("/api/training/start", {"config_dict": {}}).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "ada", "password": "wrong"}, 401),
        ({"username": "nobody", "password": RIGHT}, 401),
        ({"username": "ada"}, 401),
        ({}, 401),
        ({"username": "ada", "password": RIGHT, "scope": "all"}, 400),
        ({"username": ["ada"], "password": {}}, 400),
        ([], 400),
    ],
)
def test_without_a_right_password_there_is_no_pair(user, body, status):
    answer = api().post("/api/auth/token", body)
    assert answer.status_code == status and "detail" in answer.json()
    assert not ApiToken.objects.exists()


def test_a_refresh_token_works_once_and_its_second_use_ends_the_pair(pair):
    second = api().post("/api/auth/refresh", {"refresh": pair["refresh"]}).json()
    assert api(second["access"]).get("/api/me").status_code == 200
    assert api().post("/api/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert api(second["access"]).get("/api/me").status_code == 401, "either may be the thief's"
    assert api().post("/api/auth/refresh", {"refresh": second["refresh"]}).status_code == 401


def test_a_revoked_pair_is_refused_at_once(pair):
    assert api().post("/api/auth/revoke", {"refresh": pair["refresh"]}).status_code == 204
    assert api(pair["access"]).get("/api/me").status_code == 401
    assert api().post("/api/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


def test_a_pair_is_listed_and_revoked_like_a_personal_token(pair):
    client = api(pair["access"])
    (listed,) = client.get("/api/me/tokens").json()["tokens"]
    assert listed["is_for_jwt"] and listed["name"] == "JWT client"
    client.delete(f"/api/me/tokens/{listed['id']}")
    assert client.get("/api/me").status_code == 401


def test_a_new_password_ends_a_pair(pair, user):
    user.set_password("another horse battery")
    user.save()
    assert api(pair["access"]).get("/api/me").status_code == 401
    assert api().post("/api/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


def test_a_pair_ends_with_its_time(pair):
    ApiToken.objects.update(expires_at=now() - timedelta(seconds=1))
    assert api().post("/api/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "\x00", "x" * 3000, "eyJhbGciOiJub25lIn0.eyJ0b2tlbiI6MX0."])
@pytest.mark.parametrize("address", ["/api/auth/refresh", "/api/auth/revoke"])
def test_nonsense_is_no_refresh_token(text, address):
    assert api().post(address, {"refresh": text}).status_code in (204, 400, 401)
