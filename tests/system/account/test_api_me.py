"""The signed-in user in the API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.api import trainer, viewer
from tests.making import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_api_returns_the_signed_in_user(slash):
    answer = trainer().get(f"/api/me{slash}").json()
    facts = {"username": "ada", "email": "", "is_admin": False, "may_train": True, "has_token": True, "scope": "admin"}
    assert answer == facts
    assert viewer().get("/api/me").json()["may_train"] is False


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_new_token_revokes_the_previous_one(slash):
    client = APIClient()
    client.force_login(make_user())
    first = client.post(f"/api/me/token{slash}").json()["token"]
    second = client.post(f"/api/me/token{slash}").json()["token"]
    assert first != second
    assert APIClient(headers={"authorization": f"Token {first}"}).get("/api/me").status_code == 401
    assert APIClient(headers={"authorization": f"Token {second}"}).get("/api/me").status_code == 200


def test_a_token_can_be_revoked():
    client = viewer()
    assert client.delete("/api/me/token").status_code == 204
    assert client.get("/api/me").status_code == 401
