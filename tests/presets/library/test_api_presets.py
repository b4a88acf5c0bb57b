"""Presets in the API."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from presets.models import Preset
from tests.api import trainer, viewer
from tests.making import make_preset

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    return trainer()


def names(answer):
    return [preset["name"] for preset in answer.json()["results"]]


def test_presets_are_listed_filtered_and_searched(api):
    make_preset("SDXL/LoRA"), make_preset("Small", description="for tests"), make_preset("Old", archived=True)
    assert names(api.get("/api/presets/")) == ["Old", "SDXL/LoRA", "Small"]
    assert names(api.get("/api/presets/?archived=false&ordering=-name")) == ["Small", "SDXL/LoRA"]
    assert names(api.get("/api/presets/?search=tests")) == ["Small"]
    make_preset("Careful", {"optimizer": {"optimizer": "PRODIGY"}})
    assert names(api.get("/api/presets/?search=prodigy")) == ["Careful"]
    assert api.get("/api/presets/?archived=perhaps").status_code == 400


def test_a_preset_is_created_changed_and_deleted(api):
    made = api.post("/api/presets/", {"name": "Mine", "config": {"batch_size": 2, "epochs": 100}, "note": "first"})
    assert made.status_code == 201, made.json()
    address = f"/api/presets/{made.json()['id']}/"
    assert (made.json()["config"], made.json()["version"], made.json()["owner"]) == ({"batch_size": 2}, 1, "ada")
    renamed = api.patch(address, {"name": "Ours", "description": "Shared"}).json()
    assert (renamed["name"], renamed["version"], renamed["config"]) == ("Ours", 1, {"batch_size": 2})
    changed = api.patch(address, {"config": {"batch_size": 4}, "note": "faster"}).json()
    assert (changed["version"], changed["config"]) == (2, {"batch_size": 4})
    versions = api.get(f"{address}versions/").json()["results"]
    assert [(version["number"], version["note"], version["created_by"]) for version in versions] == [
        (2, "faster", "ada"),
        (1, "first", "ada"),
    ]
    assert api.get(f"{address}versions/1").json()["config"] == {"batch_size": 2}
    assert api.get(f"{address}versions/3").status_code == 404
    assert api.delete(address).status_code == 204 and api.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": {}}, "name"),
        ({"name": "Mine"}, "config"),
        ({"name": "a/b/c", "config": {}}, "name"),
        ({"name": "Taken", "config": {}}, "name"),
        ({"name": "Mine", "config": {"batch_size": "two"}}, "batch_size"),
        ({"name": "Mine", "config": []}, "config"),
    ],
)
def test_a_wrong_preset_is_refused_by_field(api, body, field):
    make_preset("Taken")
    answer = api.post("/api/presets/", body)
    assert answer.status_code == 400 and field in answer.json()["errors"], answer.json()
    assert Preset.objects.count() == 1


def test_a_preset_cannot_have_the_name_of_another_preset(api):
    make_preset("Taken")
    answer = api.patch(f"/api/presets/{make_preset('Mine').pk}/", {"name": "Taken"})
    assert answer.status_code == 400 and "name" in answer.json()["errors"]


def test_two_versions_are_compared(api):
    preset = make_preset("Mine", {"batch_size": 2})
    preset.save_version({"batch_size": 4, "seed": 1})
    address = f"/api/presets/{preset.pk}/diff/"
    diff = api.get(address).json()
    assert (diff["before"], diff["after"]) == (1, 2)
    assert {"field": "batch_size", "before": 2, "after": 4} in diff["changes"]
    diff = api.get(f"{address}?before=0&after=1").json()
    assert diff["changes"] == [{"field": "batch_size", "before": 1, "after": 2}]
    assert api.get(f"{address}?before=9").status_code == 404
    assert api.get(f"{address}?before=x").status_code == 400


def test_tokens_in_a_config_are_left_out_and_the_response_says_so(api):
    config = {"batch_size": 2, "cloud": {"password": "x"}}
    made = api.post("/api/presets/", {"name": "Mine", "config": config}).json()
    assert made["config"] == {"batch_size": 2}
    assert [one["field"] for one in made["warnings"]] == ["cloud.password"]
    address = f"/api/presets/{made['id']}/"
    assert [one["field"] for one in api.patch(address, {"config": config}).json()["warnings"]] == ["cloud.password"]
    assert "warnings" not in api.get(address).json()


def test_an_export_can_be_imported(api):
    preset = make_preset("SDXL/LoRA", {"batch_size": 2, "secrets": {"huggingface_token": "hf_x"}})
    file = api.get(f"/api/presets/{preset.pk}/export/")
    assert "attachment" in file.headers["Content-Disposition"] and "hf_x" not in file.content.decode()
    everything = api.get("/api/presets/export/").json()
    assert everything == file.json()
    preset.delete()
    answer = api.post("/api/presets/import/", everything)
    assert answer.status_code == 200 and answer.json()["success"] is True, answer.json()
    assert Preset.objects.get(name="SDXL/LoRA").config == {"batch_size": 2}


@pytest.mark.parametrize("as_form", [True, False])
def test_a_onetrainer_file_is_imported_by_its_name(api, as_form):
    config = {"batch_size": 8}
    if as_form:
        file = SimpleUploadedFile("#sdxl LoRA.json", json.dumps(config).encode())
        answer = api.post("/api/presets/import/", {"file": file}, format="multipart")
    else:
        answer = api.post("/api/presets/import/?name=%23sdxl%20LoRA", config)
    assert answer.status_code == 200, answer.json()
    preset = Preset.objects.get(name="sdxl LoRA")
    assert (preset.config, preset.owner) == (config, api.user)


def test_nothing_is_imported_from_a_file_with_an_error(api):
    file = {"presets": [{"name": "Good", "config": {}}, {"name": "Bad", "config": {"batch_size": "two"}}]}
    answer = api.post("/api/presets/import/", file)
    assert answer.status_code == 400 and "Bad" in answer.json()["detail"]
    assert not Preset.objects.exists()


@pytest.mark.parametrize(
    "config",
    [
        {"__version": 3, "noising_weight": 1, "noising_bias": "x"},
        {"__version": 0, "unet": 7, "train_unet": True},
        {"__version": 1, "token_count": 2, "embedding": [1]},
    ],
)
def test_an_old_file_without_the_form_of_its_version_is_refused(api, config):
    answer = api.post("/api/presets/import/?name=Old", config)
    assert answer.status_code == 400 and "Old" in answer.json()["detail"], answer.content
    assert not Preset.objects.exists()


def test_two_files_of_one_name_are_refused_and_nothing_is_imported(api):
    files = [SimpleUploadedFile(name, b'{"batch_size": 8}') for name in ("#LoRA.json", "LoRA.json")]
    answer = api.post("/api/presets/import/", {"file": files}, format="multipart")
    assert answer.status_code == 400 and "the name “LoRA”" in answer.json()["detail"], answer.json()
    assert not Preset.objects.exists()


def test_a_form_without_a_file_is_refused(api):
    assert api.post("/api/presets/import/", {"other": "x"}, format="multipart").status_code == 400


def test_viewers_may_read_but_not_change():
    preset, client = make_preset(), viewer()
    assert client.get(f"/api/presets/{preset.pk}/export/").status_code == 200
    for answer in (
        client.post("/api/presets/", {"name": "Mine", "config": {}}),
        client.patch(f"/api/presets/{preset.pk}/", {"name": "Mine"}),
        client.delete(f"/api/presets/{preset.pk}/"),
        client.post("/api/presets/import/", {}),
    ):
        assert answer.status_code == 403
