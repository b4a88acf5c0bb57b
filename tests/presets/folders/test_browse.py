"""The folder browser: what is listed, what is not, and that nothing outside the allowed folders is ever revealed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.urls import reverse
from PIL import Image

from presets.folders import browse
from tests.api import trainer, viewer
from tests.making import make_user
from tests.markup import squeezed
from web.errors import BadInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path, settings):
    """An allowed folder beside a forbidden folder; pictures are counted even on a busy machine."""
    settings.FOLDER_SECONDS = 3600
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "diary.txt").write_text("private")
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    return tmp_path / "open"


def names(path, kind="file", **more):
    return [entry.name for entry in browse.list_folder(str(path), kind, **more).entries]


def test_folders_come_first_and_names_are_in_natural_order(root):
    for name in ("10.png", "9.png", "b.txt", "A.txt"):
        (root / name).touch()
    (root / "zebra").mkdir()
    assert names(root) == ["zebra", "9.png", "10.png", "A.txt", "b.txt"]


def test_files_are_only_counted_when_a_folder_is_chosen(root):
    (root / "stars").mkdir()
    for name in ("1.png", "2.JPG", "2-masklabel.png", "notes.txt"):
        (root / name).touch()
    listing = browse.list_folder(str(root))
    assert ([entry.name for entry in listing.entries], listing.pictures) == (["stars"], 2)


def test_a_folder_shows_the_number_of_its_pictures(root):
    (root / "stars").mkdir()
    for number in range(3):
        (root / "stars" / f"{number}.png").touch()
    assert browse.list_folder(str(root)).entries[0].pictures == 3


def test_hidden_files_are_left_out(root):
    (root / ".ssh").mkdir()
    (root / ".secret.png").touch()
    assert names(root) == []


def test_only_files_with_the_requested_endings_are_listed(root):
    for name in ("a.json", "b.txt", "c.JSON"):
        (root / name).touch()
    assert names(root, suffixes=[".json"]) == ["a.json", "c.JSON"]


def test_a_folder_with_a_diffusers_model_is_marked(root):
    (root / "sd").mkdir()
    (root / "sd" / "model_index.json").touch()
    (root / "a.safetensors").touch()
    (root / "a.png").touch()
    found = browse.list_folder(str(root), "model").entries
    assert [(entry.name, entry.is_model) for entry in found] == [("sd", True), ("a.safetensors", False)]


def test_the_folder_of_a_file_is_shown_with_the_files_name(root):
    (root / "a.json").touch()
    listing = browse.list_folder(str(root / "a.json"), "file")
    assert (listing.path, listing.name) == (str(root), "a.json")


def test_the_crumbs_begin_at_the_allowed_folder(root):
    (root / "a" / "b").mkdir(parents=True)
    listing = browse.list_folder(str(root / "a" / "b"))
    assert [crumb.path for crumb in listing.crumbs] == [str(root), str(root / "a"), str(root / "a" / "b")]
    assert listing.parent == str(root / "a") and browse.list_folder(str(root)).parent == ""


def test_the_nearest_folder_is_shown_for_a_half_typed_path(root):
    (root / "a").mkdir()
    assert browse.list_folder(str(root / "a" / "gone" / "deeper"), nearest=True).path == str(root / "a")
    with pytest.raises(NotFound, match="does not exist any more"):
        browse.list_folder(str(root / "a" / "gone" / "deeper"))


@pytest.mark.parametrize("path", ["{root}/../closed", "{root}/../closed/diary.txt", "/", "/etc/passwd", "~root/../etc"])
@pytest.mark.parametrize("kind", browse.KINDS)
def test_nothing_outside_the_allowed_folders_is_listed(root, path, kind):
    with pytest.raises(BadInput, match="outside the allowed folders"):
        browse.list_folder(path.format(root=root), kind, nearest=True)


def test_the_answer_does_not_reveal_whether_a_path_outside_exists(root):
    sentences = set()
    for name in ("closed", "no such"):
        with pytest.raises(BadInput) as caught:
            browse.list_folder(str(root.parent / name))
        sentences.add(str(caught.value).replace(name, ""))
    assert len(sentences) == 1


def test_links_to_places_outside_are_left_out_and_not_followed(root):
    (root / "inside").mkdir()
    (root / "good").symlink_to(root / "inside")
    (root / "bad").symlink_to(root.parent / "closed")
    (root / "bad.txt").symlink_to(root.parent / "closed" / "diary.txt")
    listing = browse.list_folder(str(root), "file")
    assert [entry.name for entry in listing.entries] == ["good", "inside"]
    assert "2 left out" in listing.note
    with pytest.raises(BadInput, match="outside the allowed folders"):
        browse.list_folder(str(root / "bad"))


def test_a_circular_link_does_not_fail(root):
    (root / "circle").symlink_to(root / "circle")
    assert names(root) == ["circle"] or names(root) == []
    with pytest.raises((BadInput, NotFound)):
        browse.list_folder(str(root / "circle"))


@pytest.mark.parametrize("path", ["a\x00b", "\ud800", "x" * 5000, "/" + "x/" * 3000])
def test_an_invalid_path_is_refused_with_a_sentence(root, path):
    with pytest.raises((BadInput, NotFound)) as caught:
        browse.list_folder(f"{root}/{path}")
    assert str(caught.value).endswith(".")


def test_the_sites_own_folder_is_closed(root, settings):
    settings.DATA_DIR = root / "data"
    for name in ("datasets", "models", "logs"):
        (root / "data" / name).mkdir(parents=True)
    assert names(root, "folder") == []
    with pytest.raises(BadInput, match="belongs to the site"):
        browse.list_folder(str(root / "data" / "logs"))
    assert browse.list_folder(str(root / "data" / "datasets")).parent == ""


def test_runs_may_be_read_but_not_written_to(root, settings):
    settings.DATA_DIR = root / "data"
    (root / "data" / "runs").mkdir(parents=True)
    assert browse.list_folder(str(root / "data" / "runs")).entries == []
    with pytest.raises(BadInput):
        browse.list_folder(str(root / "data" / "runs"), "save")
    assert str(root / "data" / "runs") not in {place.path for place in browse.places_for("save")}


def test_an_unreadable_folder_is_reported(root, monkeypatch):
    mine, scandir = root / "mine", os.scandir
    mine.mkdir()

    def scandir_as_another_user(path):  # root, the user of the tests in containers, is never refused
        if Path(f"/proc/self/fd/{path}" if isinstance(path, int) else path).resolve() == mine:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_as_another_user)
    assert browse.list_folder(str(root)).entries[0].pictures is None
    with pytest.raises(BadInput, match="may not read"):
        browse.list_folder(str(root / "mine"))


def test_names_that_no_config_can_contain_are_only_counted(root):
    (root / "fine").mkdir()
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).mkdir()
    (root / "two\nlines").mkdir()
    listing = browse.list_folder(str(root))
    assert [entry.name for entry in listing.entries] == ["fine"] and "2 left out" in listing.note


def test_a_huge_folder_is_shown_in_part_but_filtered_as_a_whole(root):
    for number in range(3000):
        (root / f"{number}.json").touch()
    listing = browse.list_folder(str(root), "file")
    assert (len(listing.entries), listing.total) == (browse.MOST_SHOWN, 3000)
    assert "500 of 3,000" in listing.note
    assert names(root, words="2999") == ["2999.json"]


def test_unread_names_of_a_huge_folder_are_mentioned(root):
    for number in range(9):
        (root / f"{number}.json").touch()
    listing = browse.list_folder(str(root), "file", most_read=5)
    assert len(listing.entries) == 5 and "more than 5 names" in listing.note


def test_counting_pictures_of_subfolders_ends_in_time(root, settings):
    settings.FOLDER_SECONDS = -1
    (root / "stars").mkdir()
    assert browse.list_folder(str(root)).entries[0].pictures is None


def test_ten_thousand_names_are_all_counted(root):
    for number in range(10_000):
        (root / f"{number}.png").touch()
    assert browse.list_folder(str(root)).pictures == 10_000


def test_a_new_folder_is_created(root):
    assert browse.make_folder(str(root), "mine") == root / "mine"
    assert (root / "mine").is_dir()


@pytest.mark.parametrize("name", ["", "../closed/x", "/tmp/x", ".hidden", "a/b", "a\x00", "ü" * 200, "\ud800", ".."])
def test_an_invalid_name_of_a_new_folder_is_refused(root, name):
    with pytest.raises(BadInput, match="without a slash"):
        browse.make_folder(str(root), name)
    assert list(root.iterdir()) == []


def test_a_new_folder_cannot_replace_a_file_or_be_outside(root):
    (root / "taken").touch()
    (root / "out").symlink_to(root.parent / "closed")
    with pytest.raises(BadInput, match="already"):
        browse.make_folder(str(root), "taken")
    for parent in (root / "out", root.parent / "closed"):
        with pytest.raises(BadInput, match="outside"):
            browse.make_folder(str(parent), "x")
    assert len(list((root.parent / "closed").iterdir())) == 1


@pytest.fixture
def signed_in(client, db, root):
    client.force_login(make_user(is_staff=True))
    return client


def test_the_page_works_without_scripts(signed_in, root):
    (root / "stars & moons").mkdir()
    Image.new("RGB", (8, 8)).save(root / "stars & moons" / "1.png")
    page = squeezed(signed_in.get(reverse("browse"), {"path": str(root)}).text)
    assert "stars &amp; moons" in page and "1 picture" in page and "<html" in page
    assert "path=" in page and "stars%20%26%20moons" in page


def test_scripts_get_only_the_part(signed_in, root):
    part = signed_in.get(reverse("browse"), {"path": str(root)}, headers={"HX-Request": "true"})
    assert "<html" not in part.text and 'class="browse"' in part.text


@pytest.mark.parametrize(("path", "status"), [("/etc", 400), ("gone", 404), ("a\x00b", 400)])
def test_the_page_of_a_missing_folder_says_so(signed_in, root, path, status):
    answer = signed_in.get(reverse("browse"), {"path": str(root / path)})
    assert answer.status_code == status and 'role="alert"' in answer.text


def test_a_folder_is_created_from_the_page(signed_in, root):
    answer = signed_in.post(reverse("browse"), {"path": str(root), "kind": "save", "name": "mine"})
    assert (root / "mine").is_dir() and str(root / "mine") in signed_in.get(answer.url).text
    answer = signed_in.post(reverse("browse"), {"path": str(root), "kind": "save", "name": "mine"}, follow=True)
    assert "already" in answer.text


def test_a_viewer_sees_no_folder(client, db, root):
    client.force_login(make_user("vera"))
    for name in ("browse", "concept-preview", "concept-picture"):
        assert client.get(reverse(name), {"path": str(root)}).status_code == 403
    for address in ("/api/browse", f"/api/concepts/preview?path={root}"):
        assert viewer(f"v{len(address)}").get(address).status_code == 403
    assert client.post(reverse("browse"), {"path": str(root), "name": "x"}).status_code == 403


def test_the_api_lists_and_creates_folders(db, root):
    api = trainer()
    made = api.post("/api/browse", {"path": str(root), "name": "mine"})
    assert made.status_code == 201 and made.json()["path"] == str(root / "mine")
    assert [entry["name"] for entry in api.get("/api/browse", {"path": str(root)}).json()["entries"]] == ["mine"]
    answer = api.get("/api/browse", {"path": "/etc"})
    assert answer.status_code == 400 and "outside" in answer.json()["errors"]["path"][0]
    assert api.get("/api/browse", {"path": str(root / "gone")}).status_code == 404
    assert api.get("/api/browse", {"kind": "all"}).status_code == 400
