"""Presets: listing, reading, editing, import and export."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from presets.models import Preset
from tests.making import make_preset, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


def upload(client, *files):
    named = [SimpleUploadedFile(name, json.dumps(content).encode()) for name, content in files]
    return client.post(reverse("presets-import"), {"files": named}, follow=True)


def test_an_empty_list_says_what_to_do(client):
    assert "No preset yet" in client.get(reverse("presets")).text


def test_presets_are_listed_by_folder_without_archived_presets(client):
    make_preset("SDXL/Small")
    make_preset("Old", archived=True)
    page = client.get(reverse("presets")).text
    assert "SDXL/Small" in page and ">Old<" not in page
    assert ">Old<" in client.get(reverse("presets"), {"archived": 1}).text


def test_presets_are_found_by_name(client):
    make_preset("Stars")
    make_preset("Moons")
    page = client.get(reverse("presets"), {"q": "moon"}).text
    assert "Moons" in page and "Stars" not in page


def test_a_preset_shows_what_it_sets_its_versions_and_its_runs(client):
    preset = make_preset(config={"batch_size": 2})
    preset.save_version({"batch_size": 4}, note="Twice as many")
    make_run("Stars", preset=preset)
    page = client.get(reverse("preset", args=[preset.pk]), {"version": 2}).text
    assert "Twice as many" in page and "Stars" in page and "Batch size" in page
    assert "Version 1 and version 2" in " ".join(page.split())
    assert '<td data-label="Before" class="change-before">2</td>' in page


def test_secrets_are_not_shown(client):
    preset = make_preset(config={"secrets": {"huggingface_token": "hf_very_secret"}})
    for name in ("preset", "preset-edit", "preset-export"):
        assert "hf_very_secret" not in client.get(reverse(name, args=[preset.pk])).text


def test_a_new_preset_is_created(client, user):
    response = client.post(reverse("preset-new"), {"name": "A/B", "config": '{"batch_size": 3}'})
    preset = Preset.objects.get()
    assert response.url == reverse("preset", args=[preset.pk])
    assert (preset.config, preset.version, preset.owner) == ({"batch_size": 3}, 1, user)


@pytest.mark.parametrize(
    ("name", "config", "error"),
    [
        ("a/b/c", "{}", "name-error"),
        ("Taken", "{}", "name-error"),
        ("Fine", "{", "config-error"),
        ("Fine", "[]", "config-error"),
        ("Fine", '{"batch_size": "many"}', "config-error"),
    ],
)
def test_errors_are_beside_their_field_and_the_typed_text_stays(client, name, config, error):
    make_preset("Taken")
    response = client.post(reverse("preset-new"), {"name": name, "config": config, "description": "typed"})
    assert response.status_code == 400
    assert f'id="{error}"' in response.text
    assert f'value="{name}"' in response.text and ">typed<" in response.text
    assert Preset.objects.count() == 1


def test_a_preset_is_archived_and_restored(client):
    preset = make_preset()
    for archived in (True, False):
        client.post(reverse("preset-archive", args=[preset.pk]), {"archived": "1" if archived else "0"})
        preset.refresh_from_db()
        assert preset.archived is archived


def test_an_export_can_be_imported_again(client):
    preset = make_preset("SD 1.5/Mine", {"batch_size": 2}, description="For me")
    exported = client.get(reverse("preset-export", args=[preset.pk])).json()
    preset.delete()
    page = upload(client, ("any.json", exported)).text
    assert "Imported 1 preset" in page and "SD 1.5/Mine" in page
    again = Preset.objects.get()
    assert (again.config, again.description) == ({"batch_size": 2}, "For me")


def test_all_presets_are_exported_in_one_file(client):
    make_preset("One")
    make_preset("Two")
    assert [item["name"] for item in client.get(reverse("presets-export")).json()["presets"]] == ["One", "Two"]


def test_a_onetrainer_preset_is_named_after_its_file(client):
    upload(client, ("#sd 1.5 LoRA.json", {"batch_size": 4}))
    assert Preset.objects.get().name == "sd 1.5 LoRA"  # the # is OneTrainer's own mark


def test_none_of_several_files_is_imported_if_one_is_wrong(client):
    page = upload(client, ("good.json", {"batch_size": 4}), ("bad.json", {"batch_size": "many"})).text
    assert "bad.json" in page and 'role="alert"' in page
    assert not Preset.objects.exists()


def test_an_import_without_a_file_is_refused_with_the_reason(client):
    assert "Choose at least one" in client.post(reverse("presets-import"), follow=True).text


@pytest.mark.parametrize("name", ["preset-edit", "preset-archive"])
def test_a_viewer_changes_nothing(client, name):
    preset = make_preset()
    client.force_login(make_user("vera"))
    assert client.post(reverse(name, args=[preset.pk])).status_code == 403
    assert "New run" not in client.get(reverse("preset", args=[preset.pk])).text
