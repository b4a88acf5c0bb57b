"""The API of the views that users keep of the table of runs."""

from __future__ import annotations

import pytest

from tests.api import viewer
from tests.making import make_user
from training.models import SavedView
from training.table.saved_views import MOST_VIEWS

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return viewer()


def make_view(user, name="Failed", query="status=failed"):
    return SavedView.objects.create(user=user, name=name, query=query)


def names(client):
    return [view["name"] for view in client.get("/api/views/").json()["results"]]


def test_a_view_is_kept_and_listed_and_shown(client):
    answer = client.post("/api/views/", {"name": "Failed", "query": "?status=failed&sort=-loss&page=3&next=//evil"})
    assert answer.status_code == 201
    assert answer.json()["query"] == "status=failed&sort=-loss" and answer.json()["url"].startswith("/runs/?status")
    assert names(client) == ["Failed"]
    assert client.get(f"/api/views/{answer.json()['id']}/").json() == answer.json()


def test_a_view_is_renamed_or_given_other_filters(client):
    view = make_view(client.user)
    assert client.patch(f"/api/views/{view.pk}/", {"name": "Went wrong"}).json()["query"] == "status=failed"
    assert client.patch(f"/api/views/{view.pk}/", {"query": "q=x"}).json()["name"] == "Went wrong"


def test_a_view_is_deleted(client):
    assert client.delete(f"/api/views/{make_view(client.user).pk}/").status_code == 204
    assert not SavedView.objects.exists()


def test_views_of_others_are_not_there(client):
    view = make_view(make_user("grace"))
    assert names(client) == []
    for answer in (
        client.get(f"/api/views/{view.pk}/"),
        client.patch(f"/api/views/{view.pk}/", {"name": "x"}),
        client.delete(f"/api/views/{view.pk}/"),
    ):
        assert answer.status_code == 404


def test_a_name_in_use_is_refused_when_creating_and_when_renaming(client):
    make_view(client.user)
    other = make_view(client.user, "Other")
    assert client.post("/api/views/", {"name": "Failed"}).status_code == 409
    answer = client.patch(f"/api/views/{other.pk}/", {"name": "Failed"})
    assert answer.status_code == 409 and "already" in answer.json()["detail"]


def test_a_user_has_a_limited_number_of_views(client):
    SavedView.objects.bulk_create(SavedView(user=client.user, name=str(number)) for number in range(MOST_VIEWS))
    answer = client.post("/api/views/", {"name": "One more"})
    assert answer.status_code == 409 and "delete one first" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"name": " "}, {"name": "x" * 61}, {"name": "x", "query": 5 * ["y"]}, []])
def test_nonsense_is_refused_with_a_sentence(client, body):
    answer = client.post("/api/views/", body)
    assert answer.status_code == 400 and answer.json()["detail"]
