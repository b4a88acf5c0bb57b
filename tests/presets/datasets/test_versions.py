"""Versions of a data set: every change recorded, undone and redone, on the disk as in the database."""

from __future__ import annotations

import io
import zipfile

import pytest

from presets.datasets import verbs, versions
from presets.datasets.rescan import look, pending
from presets.models import DataSet
from tests.api import content, trainer, viewer
from tests.presets.datasets.sending import make_set, names_in, picture, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return trainer()


@pytest.fixture
def rex(client):
    data_set = make_set()
    for name, color in (("a.png", "red"), ("b.png", "blue")):
        send(client, data_set, name, picture(color))
    return data_set


def ids(data_set: DataSet) -> dict[str, int]:
    return dict(data_set.pictures.values_list("name", "pk"))


def change(client, rex, of, **facts):
    answer = client.patch(f"/api/datasets/{rex.pk}/pictures/{ids(rex)[of]}", facts)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_a_caption_is_written_undone_and_redone(client, rex):
    change(client, rex, "a.png", caption="a red dog")
    assert (rex.folder / "a.txt").read_text() == "a red dog\n"
    assert client.post(f"/api/datasets/{rex.pk}/undo").status_code == 200
    assert not (rex.folder / "a.txt").exists()
    client.post(f"/api/datasets/{rex.pk}/redo")
    assert (rex.folder / "a.txt").read_text() == "a red dog\n"
    assert rex.pictures.get(name="a.png").caption == "a red dog"


def test_removed_pictures_come_back_with_captions_and_the_same_content(client, rex):
    change(client, rex, "a.png", caption="a red dog")
    before = (rex.folder / "a.png").read_bytes()
    assert (
        client.post(f"/api/datasets/{rex.pk}/pictures/remove", {"pictures": list(ids(rex).values())}).status_code == 200
    )
    assert names_in(rex) == []
    client.post(f"/api/datasets/{rex.pk}/undo")
    assert names_in(rex) == ["a.png", "a.txt", "b.png"]
    assert (rex.folder / "a.png").read_bytes() == before


def test_an_excluded_picture_is_where_no_trainer_reads_it(client, rex):
    change(client, rex, "a.png", caption="a dog")
    change(client, rex, "a.png", excluded=True)
    assert names_in(rex) == [".excluded/a.png", ".excluded/a.txt", "b.png"]
    assert look(rex) == 0
    rex.refresh_from_db()
    assert rex.pictures.get(name="a.png").excluded
    client.post(f"/api/datasets/{rex.pk}/undo")
    assert names_in(rex) == ["a.png", "a.txt", "b.png"]


def test_a_renamed_picture_keeps_its_caption(client, rex):
    change(client, rex, "a.png", caption="a dog")
    assert change(client, rex, "a.png", name="rex 1")["name"] == "rex 1.png"
    assert names_in(rex) == ["b.png", "rex 1.png", "rex 1.txt"]
    client.post(f"/api/datasets/{rex.pk}/undo")
    assert names_in(rex) == ["a.png", "a.txt", "b.png"]


def test_two_pictures_of_one_content_are_both_restored(client, rex):
    (rex.folder / "c.png").write_bytes((rex.folder / "a.png").read_bytes())
    look(rex)
    for name in ("a.png", "c.png"):
        verbs.remove(rex, [ids(rex)[name]], None)
    versions.undo(rex, None)
    versions.undo(rex, None)
    assert names_in(rex) == ["a.png", "b.png", "c.png"]


def test_a_name_that_another_picture_has_is_refused(client, rex):
    answer = client.patch(f"/api/datasets/{rex.pk}/pictures/{ids(rex)['a.png']}", {"name": "b"})
    assert answer.status_code == 400
    assert names_in(rex) == ["a.png", "b.png"]


def test_what_a_shell_changes_is_a_version_too(client, rex):
    (rex.folder / "c.png").write_bytes(picture("green"))
    (rex.folder / "c.txt").write_text("by hand")
    (rex.folder / "a.txt").write_text("by hand too")
    (rex.folder / "b.png").unlink()
    assert pending(rex)[0] == 3
    answer = client.post(f"/api/datasets/{rex.pk}/rescan").json()
    assert (answer["pending"], pending(rex)[0]) == (0, 0)
    captions = dict(rex.pictures.values_list("name", "caption"))
    assert captions == {"a.png": "by hand too", "c.png": "by hand"}
    listed = client.get(f"/api/datasets/{rex.pk}/versions").json()["results"]
    assert listed[0]["label"] == "Found in the folder: 1 new picture, 1 picture removed, 1 picture changed"


def test_a_picture_that_a_shell_deleted_cannot_come_back_and_nothing_else_changes(client, rex):
    (rex.folder / "b.png").unlink()
    look(rex)
    answer = client.post(f"/api/datasets/{rex.pk}/undo")
    assert (answer.status_code, "was not kept" in answer.json()["detail"]) == (409, True)
    assert names_in(rex) == ["a.png"]


def test_files_of_one_upload_are_one_version(client):
    data_set = make_set("one")
    for name, color in (("a.png", "red"), ("b.png", "blue")):
        send(client, data_set, name, picture(color), batch="together")
    data_set.refresh_from_db()
    assert (data_set.version, data_set.versions.get().label) == (1, "2 pictures uploaded")
    client.post(f"/api/datasets/{data_set.pk}/undo")
    assert names_in(data_set) == []


def test_the_difference_between_versions_is_told_by_picture(client, rex):
    rex.refresh_from_db()
    since = rex.version
    change(client, rex, "a.png", caption="a dog")
    change(client, rex, "a.png", caption="a red dog")
    verbs.remove(rex, [ids(rex)["b.png"]], None)
    answer = client.get(f"/api/datasets/{rex.pk}/difference?since={since}").json()
    assert answer["removed"] == ["b.png"]
    assert answer["changed"] == [{"name": "a.png", "before": {"caption": None}, "after": {"caption": "a red dog"}}]


def test_nothing_to_undo_is_said(client):
    data_set = make_set("empty")
    assert client.post(f"/api/datasets/{data_set.pk}/undo").status_code == 409


# -- data sets ---------------------------------------------------------------------------------------------------------


def test_a_renamed_set_moves_its_folder_and_the_old_path_still_leads_to_it(client, rex):
    before = rex.folder
    assert client.patch(f"/api/datasets/{rex.pk}/", {"name": "max"}).status_code == 200
    rex.refresh_from_db()
    assert (rex.folder.name, before.resolve()) == ("max", rex.folder)
    assert client.post("/api/datasets/", {"name": "rex"}).status_code == 201
    assert not before.is_symlink()


def test_a_deleted_set_comes_back_whole(client, rex):
    assert client.delete(f"/api/datasets/{rex.pk}/").status_code == 204
    assert not rex.folder.exists()
    assert client.get(f"/api/datasets/{rex.pk}/pictures").status_code == 404
    assert client.get("/api/datasets/").json()["results"] == []
    assert [one["name"] for one in client.get("/api/datasets/?deleted=true").json()["results"]] == ["rex"]
    assert client.post(f"/api/datasets/{rex.pk}/restore").status_code == 200
    assert names_in(rex) == ["a.png", "b.png"]


def test_a_set_deleted_twice_is_gone_with_its_files(client, rex):
    client.delete(f"/api/datasets/{rex.pk}/")
    client.delete(f"/api/datasets/{rex.pk}/")
    assert not DataSet.objects.exists()
    assert not rex.kept.exists()


@pytest.mark.parametrize("name", ("", "..", "a/b", ".hidden", "a\\b", "x" * 101, "a\nb"))
def test_a_name_that_is_no_folder_name_is_refused(client, name):
    assert client.post("/api/datasets/", {"name": name}).status_code == 400


def test_a_folder_that_a_shell_made_is_a_data_set_too(client, settings):
    folder = settings.DATA_DIR / "datasets" / "by shell"
    folder.mkdir(exist_ok=True)
    (folder / "a.png").write_bytes(picture())
    listed = client.get("/api/datasets/").json()["results"]
    assert [one["name"] for one in listed] == ["by shell"]


def test_a_folder_of_the_server_is_taken_in_where_it_is_and_only_captions_are_written(client, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "a.caption").write_text("by another program")
    answer = client.post("/api/datasets/", {"name": "there", "path": str(tmp_path)})
    assert answer.status_code == 201, answer.json()
    data_set = DataSet.objects.get(pk=answer.json()["id"])
    assert (data_set.pictures.get().caption, pending(data_set)[0]) == ("by another program", 0)
    change(client, data_set, "a.png", caption="mine")
    assert ((tmp_path / "a.txt").read_text(), pending(data_set)[0]) == ("mine\n", 0)
    picture_address = f"/api/datasets/{data_set.pk}/pictures/{data_set.pictures.get().pk}"
    assert client.delete(picture_address).status_code == 400
    client.delete(f"/api/datasets/{data_set.pk}/")
    client.delete(f"/api/datasets/{data_set.pk}/")
    assert (tmp_path / "a.png").exists()


def test_a_folder_outside_of_the_allowed_ones_is_refused(client, settings):
    assert client.post("/api/datasets/", {"name": "etc", "path": "/etc"}).status_code == 400


def test_a_viewer_sees_pictures_and_changes_none(rex):
    client = viewer()
    assert client.get(f"/api/datasets/{rex.pk}/pictures").json()["total"] == 2
    assert client.post(f"/api/datasets/{rex.pk}/undo").status_code == 403
    assert client.delete(f"/api/datasets/{rex.pk}/pictures/{ids(rex)['a.png']}").status_code == 403


def test_the_zip_holds_pictures_captions_and_masks(client, rex):
    change(client, rex, "a.png", caption="a dog")
    answer = client.get(f"/api/datasets/{rex.pk}/zip")
    names = zipfile.ZipFile(io.BytesIO(content(answer))).namelist()
    assert names == ["rex/a.png", "rex/a.txt", "rex/b.png"]
