"""Presets in the admin."""

from __future__ import annotations

import json

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from presets.models import Preset
from tests.making import make_preset, make_run, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/presets/preset/"
IMPORT = "/admin/presets/preset/import/"


@pytest.fixture
def admin(client):
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def page_of(preset):
    return reverse("admin:presets_preset_change", args=[preset.pk])


def form(**changes):
    """The values that a browser sends from a preset's form."""
    inline = {f"versions-{part}_FORMS": 0 for part in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    return inline | {"name": "SD 1.5/LoRA", "config": '{"batch_size": 4}', "seen_version": 1} | changes


def errors_of(response, field="config"):
    return response.context["adminform"].form.errors.get(field, [])


def act(client, action, *presets):
    """Choose an action for the presets, and return the message to the user."""
    response = client.post(LIST, {"action": action, "index": 0, "_selected_action": [p.pk for p in presets]})
    return [str(message) for message in get_messages(response.wsgi_request)]


# -- the list ------------------------------------------------------------------------------------------------------


def test_the_list_shows_folder_version_and_how_many_runs_were_made(admin):
    preset = make_preset("SDXL/LoRA 16GB")
    make_run(preset=preset)
    make_run(preset=preset)
    page = admin.get(LIST).content.decode()
    assert '<td class="field-folder_name">SDXL</td>' in page and '<td class="field-run_count">2</td>' in page


def test_the_list_needs_as_many_queries_for_many_presets_as_for_few(admin, django_assert_max_num_queries):
    for number in range(30):
        make_preset(f"Folder {number}/Preset", owner=make_user(f"user{number}"))
    with django_assert_max_num_queries(12):
        admin.get(LIST)


def test_the_list_can_be_filtered_by_folder(admin):
    make_preset("SDXL/One")
    make_preset("SDXL turbo/Two")
    page = admin.get(LIST, {"folder": "SDXL"}).content.decode()
    assert "SDXL/One</a>" in page and "Two</a>" not in page


# -- editing -------------------------------------------------------------------------------------------------------


def test_a_new_preset_belongs_to_its_creator_and_has_a_first_version(admin):
    admin.post(f"{LIST}add/", form(seen_version=0, version_note="from the forum"))
    version = Preset.objects.get(owner__username="root").versions.get()
    assert (version.number, version.note, str(version.created_by)) == (1, "from the forum", "root")
    assert version.config == {"batch_size": 4}


def test_a_changed_config_is_a_new_version_by_its_editor(admin):
    preset = make_preset(config={"batch_size": 2})
    admin.post(page_of(preset), form(version_note="faster"))
    preset.refresh_from_db()
    newest = preset.versions.latest("number")
    assert (preset.config, preset.version) == ({"batch_size": 4}, 2)
    assert (newest.note, str(newest.created_by)) == ("faster", "root")


def test_a_new_description_adds_no_version(admin):
    preset = make_preset(config={"batch_size": 4})
    admin.post(page_of(preset), form(description="For 16 GB cards", config='{ "batch_size":4 }'))
    preset.refresh_from_db()
    assert (preset.description, preset.version) == ("For 16 GB cards", 1)


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ('{"batch_size": 4', "This is not valid JSON: Expecting ',' delimiter: line 1 column 17"),
        ('{"learning_rate": NaN}', "This is not valid JSON: NaN is not a number in JSON"),
        ("[" * 100_000, "This is not valid JSON: it is nested too deeply"),
        ('{"base_model_name": "\\ud800"}', "This is not valid JSON: '\\ud800' contains a NUL or half a character"),
        ("[1, 2]", "A config is a JSON object"),
        ('{"batch_size": "four"}', "batch_size: "),
        ('{"optimizer": {"beta1": "high"}}', "optimizer.beta1: "),
        ('{"concepts": [{"path": "/etc"}]}', "concepts.0.path: "),
    ],
)
def test_a_bad_config_is_refused_with_the_field_named(admin, config, error):
    preset = make_preset()
    assert errors_of(admin.post(page_of(preset), form(config=config)))[0].startswith(error)
    preset.refresh_from_db()
    assert preset.version == 1


def test_a_preset_may_leave_the_data_set_to_the_run(admin):
    admin.post(f"{LIST}add/", form(config="{}", seen_version=0))
    assert Preset.objects.get().config == {}


def test_a_version_that_was_saved_during_the_edit_is_not_overwritten(admin):
    preset = make_preset(config={"batch_size": 2})
    preset.save_version({"batch_size": 3})
    response = admin.post(page_of(preset), form(seen_version=1))
    assert "Version 2 was saved while you were editing" in errors_of(response, "__all__")[0]
    preset.refresh_from_db()
    assert preset.config == {"batch_size": 3}


def test_a_presets_page_shows_what_each_version_changed(admin, django_assert_max_num_queries):
    preset = make_preset(config={"batch_size": 2})
    for size in range(3, 23):
        preset.save_version({"batch_size": size, "base_model_name": "<i>sd</i>"}, by=make_user(f"user{size}"))
    with django_assert_max_num_queries(12):
        page = admin.get(page_of(preset)).content.decode()
    assert "<del>21</del>" in page and "<ins>22</ins>" in page
    assert "<i>sd</i>" not in page and "&lt;i&gt;sd&lt;/i&gt;" in page


# -- actions and files ---------------------------------------------------------------------------------------------


def test_archived_presets_are_not_offered_and_can_be_restored(admin):
    preset, already = make_preset("One"), make_preset("Two", archived=True)
    assert act(admin, "archive", preset, already) == ["Archived: One."]
    assert not Preset.objects.listed().exists()
    assert act(admin, "restore", preset)[-1] == "Restored: One."
    assert Preset.objects.listed().get() == preset


def test_an_export_can_be_imported_again(admin):
    preset = make_preset("SDXL/LoRA", {"batch_size": 3, "secrets": {"token": "hf_hidden"}}, description="Mine")
    response = admin.post(LIST, {"action": "export", "index": 0, "_selected_action": [preset.pk]})
    assert "hf_hidden" not in response.content.decode()
    preset.delete()
    admin.post(IMPORT, {"file": SimpleUploadedFile("presets.json", response.content)})
    again = Preset.objects.get()
    assert (again.name, again.description, again.config) == ("SDXL/LoRA", "Mine", {"batch_size": 3})
    assert str(again.owner) == "root"


def test_a_config_of_onetrainer_becomes_a_preset_named_after_its_file(admin):
    admin.post(IMPORT, {"file": SimpleUploadedFile("#sd 1.5 LoRA.json", b'{"batch_size": 3}')})
    assert Preset.objects.get().name == "sd 1.5 LoRA"


def test_importing_an_existing_preset_adds_a_new_version(admin):
    preset = make_preset("LoRA", {"batch_size": 2})
    admin.post(IMPORT, {"file": SimpleUploadedFile("LoRA.json", b'{"batch_size": 3}')})
    assert [version.config["batch_size"] for version in preset.versions.all()] == [3, 2]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\xff\xfe", "bad.json is not valid JSON"),
        (b"[]", "bad.json does not contain a JSON object"),
        (b'{"presets": 1}', "bad.json does not contain a list of presets"),
        (b'{"presets": [{"name": "a/b/c", "config": {}}]}', "bad.json: &#x27;a/b/c&#x27; is not a preset&#x27;s name"),
        (b'{"presets": [{"name": "a"}]}', "bad.json: a preset must have a name"),
        (b'{"batch_size": "x"}', "bad.json, bad: batch_size"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(admin, content, error):
    page = admin.post(IMPORT, {"file": SimpleUploadedFile("bad.json", content)}).content.decode()
    assert error in page and not Preset.objects.exists()


def test_a_file_with_one_bad_preset_is_refused_as_a_whole(admin):
    presets = [{"name": "Good", "config": {}}, {"name": "Bad", "config": {"batch_size": "x"}}]
    content = json.dumps({"presets": presets}).encode()
    admin.post(IMPORT, {"file": SimpleUploadedFile("both.json", content)})
    assert not Preset.objects.exists()


# -- permissions -------------------------------------------------------------------------------------------------------


def test_staff_with_view_permission_can_neither_edit_nor_import(client):
    client.force_login(make_user(is_staff=True, permissions=("view_preset",)))
    preset = make_preset(config={"batch_size": 2})
    assert client.get(page_of(preset)).status_code == 200
    assert client.post(page_of(preset), form()).status_code == 403
    assert client.get(IMPORT).status_code == 403 and IMPORT not in client.get(LIST).content.decode()
