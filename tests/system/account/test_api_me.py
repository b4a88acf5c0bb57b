"""The signed-in user in the API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.api import trainer, viewer
from tests.making import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
def test_who_i_am(slash):
    answer = trainer().get(f"/api/me{slash}").json()
    assert answer == {"username": "ada", "email": "", "is_admin": False, "may_train": True, "has_token": True}
    assert viewer().get("/api/me").json()["may_train"] is False


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_is_made_and_the_one_before_it_ends(slash):
    client = APIClient()
    client.force_login(make_user())
    first = client.post(f"/api/me/token{slash}").json()["token"]
    second = client.post(f"/api/me/token{slash}").json()["token"]
    assert first != second
    assert APIClient(headers={"authorization": f"Token {first}"}).get("/api/me").status_code == 401
    assert APIClient(headers={"authorization": f"Token {second}"}).get("/api/me").status_code == 200


def test_a_token_can_be_ended():
    client = viewer()
    assert client.delete("/api/me/token").status_code == 204
    assert client.get("/api/me").status_code == 401
