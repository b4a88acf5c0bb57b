"""The finder: what a few words find, for whom."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from onetrainer_site.finder.places import ACTIONS, PAGES
from presets.models import Draft
from tests.making import make_preset, make_run, make_user
from web.permissions import TRAINERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def trainer(client):
    user = make_user("tess")
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    client.force_login(user)
    return user


def found(client, words):
    return client.get(reverse("find"), {"q": words}, headers={"HX-Request": "true"}).content.decode()


@pytest.mark.parametrize("place", [*PAGES, *ACTIONS], ids=lambda place: str(place.title))
def test_each_place_is_found_by_its_title_and_by_its_other_words(admin_client, place):
    for words in (str(place.title).upper(), str(place.words)):
        assert f'href="{place.address}"' in found(admin_client, words)
    assert admin_client.get(place.address, follow=True).status_code == 200


def test_runs_presets_and_settings_are_found_by_all_their_words_in_any_order(client, trainer):
    run, preset = make_run("Blue whale 3"), make_preset("Sea/Whale blue")
    page = found(client, "whale BLUE")
    assert run.get_absolute_url() in page and reverse("preset", args=[preset.pk]) in page
    assert "Learning rate" in found(client, "learning rate")
    assert "?tab=" in found(client, "learning rate") and not Draft.objects.exists()
    assert run.get_absolute_url() not in found(client, "whale green")


def test_a_viewer_finds_nothing_that_only_trainers_or_admins_may_open(client):
    client.force_login(make_user("vera"))
    page = found(client, "")
    assert reverse("runs") in page
    for route in ("wizard", "new-run", "cleanup", "doctor", "admin:index"):
        assert f'href="{reverse(route)}"' not in page
    assert "Settings of a new run" not in found(client, "learning rate")


def test_words_are_shown_as_text_and_found_without_scripts(client, trainer):
    page = client.get(reverse("find"), {"q": "<b>none</b>"}).content.decode()
    assert "<html" in page and "Nothing has “&lt;b&gt;none&lt;/b&gt;” in its name." in page
    assert 'role="option"' not in client.get(reverse("find"), {"q": "runs"}).content.decode()
