"""What the trainer makes of a data set: crops, sizes, dropped uses and cut captions, as the trainer plans them."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.urls import reverse

from presets.datasets import verbs
from presets.datasets.trainers_view import TrainersView
from presets.datasets.uses import note_uses
from presets.models import DataSetUse
from tests.api import trainer
from tests.making import make_preset, make_user
from tests.presets.datasets.sending import make_set, picture, send

pytestmark = pytest.mark.django_db
CONFIG = {"resolution": "512", "batch_size": 2, "aspect_ratio_bucketing": True, "base_model_name": ""}


@pytest.fixture
def viewer(client):
    user = make_user("vera")
    client.force_login(user)
    return user


@pytest.fixture
def rex():
    client, data_set = trainer(), make_set()
    for number, size in enumerate([(800, 400), (500, 500), (520, 500), (510, 512)]):
        send(client, data_set, f"{number}.png", picture((number, 0, 0), size))
    return data_set


def test_pictures_of_one_shape_share_a_size_and_what_fills_no_batch_is_left_out(rex):
    buckets = {bucket.title: bucket for bucket in TrainersView(rex, CONFIG).buckets()}
    assert {title: (one.pictures, one.batches, one.dropped) for title, one in buckets.items()} == {
        "512 × 512": (3, 1, 1),
        "704 × 384": (1, 0, 1),
    }


def test_without_buckets_a_wide_picture_loses_its_sides(rex):
    (seen,) = TrainersView(rex, CONFIG | {"aspect_ratio_bucketing": False}).see(["0.png"])
    assert (seen.size, seen.left, seen.width, seen.top, seen.height, seen.lost) == ((512, 512), 25, 50, 0, 100, 50)


def test_an_excluded_picture_is_not_planned(rex):
    verbs.exclude(rex, [rex.pictures.get(name="0.png").pk], True, None)
    assert [bucket.pictures for bucket in TrainersView(rex, CONFIG).buckets()] == [3]


def test_a_long_caption_says_how_many_tokens_are_read_and_what_is_cut_off(rex):
    caption = " ".join(f"word{number}" for number in range(80))
    verbs.set_caption(rex, rex.pictures.get(name="1.png").pk, caption, None)
    model = str(Path(django_settings.DEMO_DIR) / "model")
    long, short = TrainersView(rex, CONFIG | {"base_model_name": model}).see(["1.png", "2.png"])
    assert long.tokens > long.cuts[0].limit
    assert caption.endswith(long.cuts[0].rest)
    assert short.cuts == []


def test_a_base_model_outside_of_the_allowed_folders_is_not_opened(rex):
    assert TrainersView(rex, CONFIG | {"base_model_name": "/etc"}).encoders == []


def test_the_page_shows_it_for_a_preset_and_for_the_draft(client, rex, viewer):
    preset = make_preset("Two", CONFIG)
    address = reverse("data-set-trainer", args=[rex.pk])
    answer = client.get(address, {"config": preset.pk})
    assert "2 uses of pictures are left out" in answer.content.decode()
    assert client.get(address).status_code == 200
    assert "does not exist" in client.get(address, {"config": "99"}).content.decode()


def test_a_config_that_cannot_be_read_is_a_sentence(client, rex, viewer):
    preset = make_preset("Broken", {"resolution": "many"})
    answer = client.get(reverse("data-set-trainer", args=[rex.pk]), {"config": preset.pk})
    assert (answer.status_code, "cannot be read" in answer.content.decode()) == (200, True)


def test_a_run_notes_the_version_that_it_trains_on_also_by_an_older_name(rex):
    before, run = str(rex.folder), uuid4()
    verbs.change(rex, {"name": "max"}, None)
    (rex.folder / "0.txt").write_text("by a shell, before the start")
    note_uses(run, 1, {"concepts": [{"path": before}, {"path": "/elsewhere"}]})
    rex.refresh_from_db()
    use = DataSetUse.objects.get(run=run)
    assert (use.data_set, use.version) == (rex, rex.version)
    assert rex.pictures.get(name="0.png").caption == "by a shell, before the start"


def test_a_disabled_concept_is_not_noted(rex):
    note_uses(uuid4(), 1, {"concepts": [{"path": str(rex.folder), "enabled": False}]})
    assert not DataSetUse.objects.exists()
