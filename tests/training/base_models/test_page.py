"""The page "Base models": what it lists, and what its buttons do."""

from __future__ import annotations

import shutil

import pytest
from django.conf import settings as site
from django.contrib.auth.models import Group

from engine.base_models import catalogue
from presets.base_models import requests
from presets.models import ModelFetch
from system.account import secrets
from system.models import Job
from tests.making import make_run, make_user, trainable_config
from web.permissions import TRAINERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def trainer(client):
    user = make_user("theo")
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    client.force_login(user)
    return user


@pytest.fixture
def stars(tmp_path, settings, monkeypatch):
    """The demo's model in the data folder's `models`."""
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = settings.DATA_DIR / "models" / "stars"
    shutil.copytree(site.DEMO_DIR / "model", folder)
    return folder


def texts(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_page_lists_each_known_model_with_its_facts_and_what_is_on_the_disk(client, trainer, stars):
    page = texts(client.get("/models/"))
    for model in catalogue():
        assert model.hub in page and model.licence in page
    assert str(stars) in page and "on this machine" in page and "GB; " in page


def test_a_name_is_queued_and_shown(client, trainer, stars):
    assert client.post("/models/fetch/", {"source": " tiny/stars "}).status_code == 302
    row = ModelFetch.objects.open().get()
    assert (row.source, row.user, row.status) == ("tiny/stars", trainer, Job.Status.WAITING)
    assert f'id="fetch-{row.pk}"' in texts(client.get("/models/"))


@pytest.mark.parametrize("source", ["stars", "ftp://example.org/x", ""])
def test_a_wrong_name_is_told_beside_its_field(client, trainer, stars, source):
    response = client.post("/models/fetch/", {"source": source})
    assert response.status_code == 400
    assert 'aria-invalid="true"' in texts(response) and 'id="fetch-error"' in texts(response)


def test_the_query_of_an_address_is_not_shown(client, trainer, stars):
    client.post("/models/fetch/", {"source": "https://example.org/x.safetensors?X-Signature=abc"})
    page = texts(client.get("/models/"))
    assert "https://example.org/x.safetensors" in page and "X-Signature" not in page


def test_a_fetch_is_cancelled_continued_and_removed(client, trainer, stars):
    row = requests.request_fetch("tiny/stars", trainer)
    client.post(f"/models/fetches/{row.pk}/cancel/")
    row.refresh_from_db()
    assert row.status == Job.Status.CANCELLED
    client.post(f"/models/fetches/{row.pk}/continue/")
    again = ModelFetch.objects.open().get()
    client.post(f"/models/fetches/{again.pk}/remove/")
    assert ModelFetch.objects.open().get() == again  # it is under way
    client.post(f"/models/fetches/{again.pk}/cancel/")
    client.post(f"/models/fetches/{again.pk}/remove/")
    assert not ModelFetch.objects.get_queryset().exists()


def test_a_model_that_a_queued_run_needs_is_not_deleted(client, trainer, stars):
    run = make_run("Night", config=trainable_config(base_model_name=str(stars)))
    response = client.post("/models/delete/", {"name": str(stars)}, follow=True)
    assert "is needed by the run “Night”" in texts(response)
    assert stars.is_dir()
    run.move_to("cancelled")
    response = client.post("/models/delete/", {"name": str(stars)}, follow=True)
    assert "stars was deleted." in texts(response)
    assert not stars.exists()


def test_files_of_other_programs_are_not_deleted(client, trainer, stars, settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path / "root"]
    other = tmp_path / "root" / "models" / "mine"
    shutil.move(stars, other)
    response = client.post("/models/delete/", {"name": str(other)}, follow=True)
    assert "is not in the site&#x27;s own folders: delete it there." in texts(response)
    assert other.is_dir()


def test_a_token_of_another_host_is_kept_and_removed(client, trainer, stars):
    client.post("/models/token/", {"host": "Models.example.org", "value": "abc"})
    assert secrets.token_for(trainer, "models.example.org") == "abc"
    assert "models.example.org" in texts(client.get("/models/"))
    client.post("/models/token/", {"host": "models.example.org", "remove": "1"})
    assert secrets.token_for(trainer, "models.example.org") == ""
