"""Personal API tokens: hashed, with names, scopes, an end and the time of their last use."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.urls import reverse
from django.utils.timezone import now
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from presets.models import Preset
from system.account import tokens
from system.models import ApiToken
from tests.making import make_token, make_user
from training.models import Run
from web.permissions import SCOPES, TRAINERS, limit_to_scope

pytestmark = pytest.mark.django_db


def client_with(key, scheme="Token"):
    client = APIClient(raise_request_exception=False, headers={"authorization": f"{scheme} {key}"})
    client.default_format = "json"
    return client


def make_trainer(**facts):
    user = make_user("theo", **facts)
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    return user


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer"])
def test_a_token_signs_in_under_both_names_of_the_header(scheme):
    assert client_with(make_token(make_user()), scheme).get("/api/me").json()["username"] == "ada"


def test_only_a_hash_of_a_token_is_stored():
    key = make_token(make_user())
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM system_apitoken")
        stored = str(cursor.fetchall())
    assert key.startswith("otw_") and key not in stored and tokens.digest_of(key) in stored


@pytest.mark.parametrize("header", ["Token", "Token ", "Token a b", "Token \x00", "Token otw_é", "Bearer a.b.c"])
def test_a_malformed_token_is_answered_with_401(header):
    client = APIClient(raise_request_exception=False)
    assert client.get("/api/me", HTTP_AUTHORIZATION=header).status_code == 401


def test_a_token_of_before_goes_on_working_and_is_stored_as_a_hash():
    old = Token.objects.create(user=make_user()).key
    assert client_with(old).get("/api/me").status_code == 401
    import_module("system.migrations.0014_hash_tokens").hash_tokens(apps, None)
    assert client_with(old).get("/api/me").status_code == 200
    assert not Token.objects.exists() and ApiToken.objects.get().scope == "admin"


def test_an_expired_token_and_that_of_a_blocked_person_are_refused():
    user = make_user()
    client = client_with(make_token(user, days=1))
    assert client.get("/api/me").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/api/me").status_code == 401
    User.objects.update(is_active=True)
    ApiToken.objects.update(expires_at=now() - timedelta(seconds=1))
    assert client.get("/api/me").status_code == 401


def test_the_time_of_the_last_use_is_kept_and_not_written_with_each_request(django_assert_num_queries):
    client = client_with(make_token(make_user()))
    assert ApiToken.objects.get().last_used_at is None
    client.get("/api/me")
    first = ApiToken.objects.get().last_used_at
    client.get("/api/me")
    assert first is not None and ApiToken.objects.get().last_used_at == first


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_limits_what_its_owner_may(scope):
    admin = make_user(is_staff=True, is_superuser=True)
    client = client_with(make_token(admin, scope))
    facts = client.get("/api/me").json()
    assert (facts["may_train"], facts["is_admin"]) == (scope != "read", scope == "admin")
    assert (client.post("/api/presets/", {"name": "Mine", "config": {}}).status_code == 201) == (scope != "read")
    policy = {"backups": 3}
    assert (client.put("/api/retention", policy).status_code == 403) == (scope != "admin")


def test_a_token_for_reading_starts_no_run_and_changes_nothing_of_its_owner():
    client = client_with(make_token(make_trainer(), "read"))
    refused = [
        client.post("/api/training/start", {"config_dict": {}}),
        client.put("/api/me/secrets", {"huggingface_token": "hf_x"}),
        client.post("/api/views/", {"name": "Mine", "query": ""}),
        client.post("/api/me/tokens", {"name": "larger"}),
        client.post("/api/me/token"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert "scope" in refused[0].json()["detail"] and not Run.objects.exists() and not Preset.objects.exists()
    assert client.get("/api/runs/").status_code == 200
    assert client.post("/api/config/validate?preflight=false", {}).status_code == 200, "it changes nothing"


def test_a_token_with_a_larger_scope_does_not_give_a_viewer_more():
    client = client_with(make_token(make_user("vera"), "admin"))
    assert client.post("/api/training/start", {"config_dict": {}}).status_code == 403


def test_the_rights_that_a_scope_takes_stay_in_the_database():
    user = limit_to_scope(make_user(is_staff=True), "train")
    assert not user.is_staff and User.objects.get().is_staff
    with pytest.raises(RuntimeError):
        user.save()


def test_the_api_lists_makes_and_revokes_tokens():
    client = client_with(make_token(make_trainer(), "train"))
    made = client.post("/api/me/tokens", {"name": "cluster", "scope": "read", "days": 30})
    assert made.status_code == 201 and made.json()["token"].startswith("otw_")
    listed = client.get("/api/me/tokens").json()["tokens"]
    assert [one["name"] for one in listed] == ["cluster", "API token"] and "token" not in listed[0]
    other = client_with(made.json()["token"])
    assert other.get("/api/me").json()["scope"] == "read"
    assert client.delete(f"/api/me/tokens/{made.json()['id']}").status_code == 204
    assert other.get("/api/me").status_code == 401
    assert client.delete(f"/api/me/tokens/{made.json()['id']}").status_code == 404


def test_nobody_revokes_the_token_of_another():
    make_token(make_user("bob"))
    client = client_with(make_token(make_user("ada")))
    assert client.delete(f"/api/me/tokens/{ApiToken.objects.get(user__username='bob').pk}").status_code == 404
    assert ApiToken.objects.count() == 2


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "API token"}, "name"),
        ({"name": "a", "scope": "all"}, "scope"),
        ({"name": "a", "days": 0}, "days"),
        ({"name": "a", "days": 10**9}, "days"),
        ({"name": "a", "days": "soon"}, "days"),
    ],
)
def test_a_token_that_cannot_be_made_is_refused_by_its_field(wish, field):
    answer = client_with(make_token(make_user())).post("/api/me/tokens", wish)
    assert answer.status_code == 400 and field in answer.json()["errors"]
    assert ApiToken.objects.count() == 1


def test_a_token_makes_none_with_a_larger_scope():
    client = client_with(make_token(make_user(is_staff=True), "train"))
    assert client.post("/api/me/tokens", {"name": "larger", "scope": "admin"}).status_code == 403
    assert client_with(client.post("/api/me/token").json()["token"]).get("/api/me").json()["scope"] == "train"


def test_there_is_a_limit_of_tokens():
    user = make_user()
    for _ in range(tokens.MOST_TOKENS):
        key = make_token(user)
    answer = client_with(key).post("/api/me/tokens", {"name": "one more"})
    assert answer.status_code == 400 and "revoke one first" in answer.json()["detail"]


def test_the_page_shows_a_new_token_once_and_revokes_it(client):
    user = make_user()
    client.force_login(user)
    page = client.post(reverse("tokens"), {"name": "night script", "scope": "read", "days": "7"}).text
    key = next(part for part in page.split('"') if part.startswith("otw_"))
    assert tokens.find(key).user == user and tokens.find(key).scope == "read"
    listed = client.get(reverse("tokens")).text
    assert "night script" in listed and key not in listed
    client.post(reverse("revoke-token", args=[ApiToken.objects.get().pk]))
    assert tokens.find(key) is None


def test_the_page_reports_a_name_that_is_taken(client):
    user = make_user()
    client.force_login(user)
    make_token(user, name="mine")
    answer = client.post(reverse("tokens"), {"name": "mine", "scope": "read", "days": ""})
    assert answer.status_code == 400 and "a token of this name" in answer.text
