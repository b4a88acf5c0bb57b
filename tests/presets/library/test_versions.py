"""Versions, favourites, copies, archiving, and OneTrainer's own presets."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from presets.library import from_onetrainer as onetrainer_presets
from presets.library import verbs as library
from presets.models import Preset
from tests.api import trainer
from tests.making import make_preset, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def preset():
    preset = make_preset("Mine", {"epochs": 1})
    preset.save_version({"epochs": 2})
    return preset


def test_restoring_a_version_adds_a_new_version(preset):
    answer = trainer().post(f"/api/presets/{preset.pk}/revert/", {"version": 1})
    assert (answer.json()["version"], answer.json()["config"]) == (3, {"epochs": 1})
    assert preset.versions.first().note == "as in version 1"


def test_a_missing_version_cannot_be_restored(preset):
    assert trainer().post(f"/api/presets/{preset.pk}/revert/", {"version": 9}).status_code == 404
    assert trainer("bob").post(f"/api/presets/{preset.pk}/revert/", {}).status_code == 400


def test_changes_since_a_run_are_listed(preset):
    run = make_run(preset=preset, preset_version=preset.versions.last())
    changes = trainer().get(f"/api/presets/{preset.pk}/diff/?run={run.pk}").json()
    assert (changes["before"], changes["after"]) == (1, 2)
    assert changes["changes"] == [{"field": "epochs", "before": 1, "after": 2}]
    assert library.changed_since(preset, run) == changes["changes"]


@pytest.mark.parametrize("run", ["nonsense", "5b1c7e1e-8d0f-4e55-9d0a-3a3f6f0b7a11"])
def test_a_run_of_another_preset_is_not_found(preset, run):
    assert trainer().get(f"/api/presets/{preset.pk}/diff/?run={run}").status_code == 404


def test_each_user_has_their_own_favourites(preset):
    ada, bob = trainer("ada"), trainer("bob")
    assert ada.post(f"/api/presets/{preset.pk}/favourite/").json()["favourite"] is True
    assert bob.get(f"/api/presets/{preset.pk}/").json()["favourite"] is False
    assert [one["name"] for one in ada.get("/api/presets/?favourite=true").json()["results"]] == ["Mine"]
    assert ada.delete(f"/api/presets/{preset.pk}/favourite/").status_code == 204
    assert ada.get("/api/presets/?favourite=true").json()["results"] == []


def test_a_copy_gets_a_free_name(preset):
    api = trainer()
    names = [api.post(f"/api/presets/{preset.pk}/duplicate/").json()["name"] for _ in range(2)]
    assert names == ["Mine (copy)", "Mine (copy 2)"]


def test_a_preset_with_runs_is_archived_instead_of_deleted(preset):
    make_run(preset=preset)
    answer = trainer().delete(f"/api/presets/{preset.pk}/")
    assert answer.status_code == 200 and "archived" in answer.json()["message"]
    assert Preset.objects.get().archived


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(client):
    client.force_login(trainer().user)
    return client


def test_any_two_versions_are_compared_on_the_page(page, preset):
    preset.save_version({"epochs": 7, "batch_size": 3})
    text = page.get(reverse("preset", args=[preset.pk]), {"version": 3, "against": 1}).text
    assert "Version 1 and version 3" in " ".join(text.split()) and "batch_size" in text


def test_the_page_restores_copies_marks_and_deletes(page, preset):
    page.post(reverse("preset-revert", args=[preset.pk]), {"version": 1})
    page.post(reverse("preset-favourite", args=[preset.pk]), {"favourite": "1"})
    page.post(reverse("preset-duplicate", args=[preset.pk]))
    preset.refresh_from_db()
    assert (preset.version, preset.favourite_of.count(), Preset.objects.count()) == (3, 1, 2)
    assert "Favourites" in page.get("/presets/").text
    page.post(reverse("preset-delete", args=[preset.pk]))
    assert not Preset.objects.filter(pk=preset.pk).exists()


def test_the_page_shows_the_number_of_fields_that_changed_since_a_run(page, preset):
    make_run(preset=preset, preset_version=preset.versions.last())
    assert "1 field changed since" in page.get(reverse("preset", args=[preset.pk])).text


def test_presets_are_found_by_their_settings(page):
    make_preset("A", {"optimizer": {"optimizer": "PRODIGY"}}), make_preset("B", {"epochs": 3})
    text = page.get("/presets/", {"q": "prodigy"}).text
    assert ">A</a>" in text and ">B</a>" not in text


def test_presets_are_in_natural_order(page):
    for size in (12, 4, 8):
        make_preset(f"X/LoRA {size} GB")
    text = page.get("/presets/").text
    assert text.index("LoRA 4 GB") < text.index("LoRA 8 GB") < text.index("LoRA 12 GB")


# -- OneTrainer's own ----------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(settings, tmp_path):
    settings.ONETRAINER_HOME = tmp_path
    folder = tmp_path / "training_presets" / "SDXL"
    folder.mkdir(parents=True)
    (folder / "#sdxl LoRA.json").write_text(json.dumps({"model_type": "STABLE_DIFFUSION_XL_10_BASE"}))
    (folder.parent / "#.json").write_text("{}")
    (folder / "mine.json").write_text("{}")
    return folder


def own():
    return list(Preset.objects.listed().filter(source="onetrainer").values_list("name", "version"))


def test_onetrainers_presets_are_a_separate_group(checkout, page):
    onetrainer_presets.sync(now=True)
    onetrainer_presets.sync(now=True)
    assert own() == [("OneTrainer SDXL/sdxl LoRA", 1)]
    text = page.get("/presets/").text
    assert "OneTrainer SDXL" in text and "OneTrainer&#x27;s own" in text


def test_a_changed_file_is_a_new_version_and_a_missing_one_is_archived(checkout):
    onetrainer_presets.sync(now=True)
    file = checkout / "#sdxl LoRA.json"
    file.write_text(json.dumps({"model_type": "STABLE_DIFFUSION_XL_10_BASE", "epochs": 3}))
    onetrainer_presets.sync(now=True)
    assert own() == [("OneTrainer SDXL/sdxl LoRA", 2)]
    file.unlink()
    onetrainer_presets.sync(now=True)
    assert own() == []


def test_onetrainers_presets_are_gone_without_a_checkout(checkout, settings):
    onetrainer_presets.sync(now=True)
    settings.ONETRAINER_HOME = None
    onetrainer_presets.sync(now=True)
    assert own() == [] and Preset.objects.count() == 1


def test_a_broken_file_is_left_out_with_a_line_in_the_log(checkout, caplog):
    (checkout / "#broken.json").write_text("{")
    onetrainer_presets.sync(now=True)
    assert own() == [("OneTrainer SDXL/sdxl LoRA", 1)] and "#broken.json" in caplog.text
