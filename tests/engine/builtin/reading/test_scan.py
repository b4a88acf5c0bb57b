"""The files in a concept's folder: each is trained, or left out with a sentence."""

import os

import pytest
from PIL import Image

from engine.builtin.reading import scan as kinds
from engine.builtin.reading.findings import Findings, Kind, printable
from engine.builtin.reading.formats import is_label, is_picture
from engine.builtin.reading.scan import BUILTIN, ONETRAINER, scan


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stars").mkdir()
    return tmp_path / "stars"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(found):
    return [str(path.relative_to(found.folder)) for path in found.pictures]


@pytest.mark.parametrize(
    "name",
    ["a.png", "A.JPG", "a.jfif", "a.gif", "a.heic", "a.HEIF", "a.avif", "a.jxl", "a.tif", "a.webp", "a.bmp", "a.jpe"],
)
def test_pictures_are_recognized_by_their_names(folder, name):
    touch(folder, name)
    assert names(scan(folder, False)) == [name]


@pytest.mark.parametrize("name", ["a.psd", "a.cr2", "a.svg", "a.mp4", "a.zip", "photo", "a.png.part"])
def test_a_file_in_another_format_is_told(folder, name):
    touch(folder, name)
    assert scan(folder, False).left_out == {kinds.UNREAD: [name]}


def test_formats_that_onetrainer_does_not_read_are_told_for_it(folder):
    touch(folder, "a.png", "b.heic", "c.gif")
    assert len(scan(folder, False, BUILTIN).pictures) == 3
    found = scan(folder, False, ONETRAINER)
    assert names(found) == ["a.png"]
    assert found.left_out == {kinds.UNREAD: ["b.heic", "c.gif"]}


def test_captions_that_onetrainer_does_not_read_are_told_for_it(folder):
    touch(folder, "a.png", "a.caption", "metadata.jsonl", "b.txt")
    assert scan(folder, False, ONETRAINER).left_out == {kinds.UNREAD_TEXT: ["a.caption", "metadata.jsonl"]}


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", "__MACOSX", "@eaDir", ".git"])
def test_hidden_and_system_folders_are_never_trained_and_are_told(folder, hidden):
    touch(folder, "a.png", f"{hidden}/b.png", f"{hidden}/deep/c.png")
    found = scan(folder, True)
    assert names(found) == ["a.png"]
    assert found.left_out == {kinds.HIDDEN: [hidden]}


def test_a_hidden_folder_without_pictures_is_not_worth_a_word(folder):
    touch(folder, "a.png", ".git/config", "Thumbs.db", ".DS_Store")
    assert scan(folder, True).left_out == {}


def test_a_hidden_picture_is_told(folder):
    touch(folder, "._a.png", "a.png")
    assert scan(folder, False).left_out == {kinds.HIDDEN: ["._a.png"]}


def test_what_onetrainer_trains_although_no_one_means_it_is_checked_for_it(folder):
    touch(folder, "a.png", "._a.png", "__MACOSX/._b.png", ".git/c.png", ".DS_Store")
    (folder / "link.png").symlink_to(folder / "a.png")
    found = scan(folder, True, ONETRAINER)
    assert names(found) == ["._a.png", "__MACOSX/._b.png", "a.png", "link.png"]
    assert found.left_out == {kinds.HIDDEN: [".git"]}


def test_the_concepts_own_folder_may_be_hidden(folder):
    touch(folder, ".stars/a.png")
    assert names(scan(folder / ".stars", True)) == ["a.png"]


def test_subfolders_with_pictures_are_told_if_they_are_not_included(folder):
    touch(folder, "a.png", "more/deep/b.png", "notes/c.doc")
    found = scan(folder, False)
    assert names(found) == ["a.png"]
    assert found.left_out == {kinds.NOT_INCLUDED: ["more"]}
    assert found.subfolders == 2


def test_a_linked_folder_is_followed(folder, tmp_path):
    touch(tmp_path, "elsewhere/deep/b.png")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert names(scan(folder, True)) == ["link/deep/b.png"]


def test_circles_of_links_end_and_each_folder_is_read_once(folder, tmp_path):
    touch(folder, "a.png", "sub/b.png")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "again").symlink_to(folder / "sub")
    found = scan(folder, True)
    assert names(found) == ["a.png", "sub/b.png"]
    assert found.left_out == {kinds.CIRCLE: ["again", "sub/up"]}


def test_a_link_to_a_picture_of_the_folder_is_not_trained_twice(folder, tmp_path):
    touch(folder, "z.png")
    touch(tmp_path, "far.png")
    (folder / "a.png").symlink_to(folder / "z.png")
    (folder / "b.png").symlink_to(tmp_path / "far.png")
    (folder / "c.png").symlink_to(tmp_path / "far.png")
    found = scan(folder, False)
    assert names(found) == ["b.png", "z.png"]
    assert found.left_out == {kinds.SAME_FILE: ["a.png", "c.png"]}


def test_links_that_lead_nowhere_and_names_that_are_no_files_are_told(folder):
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    os.mkfifo(folder / "pipe.png")
    assert scan(folder, True).left_out == {
        kinds.BROKEN_LINK: ["gone.png", "self.png"],
        kinds.NO_FILE: ["pipe.png"],
    }


def test_links_are_followed_only_where_that_is_allowed(folder, tmp_path):
    touch(tmp_path, "elsewhere/b.png")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "b.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    found = scan(folder, True, may_follow=lambda path: False)
    assert found.left_out == {kinds.OUTSIDE: ["b.png", "link"]}


def test_names_that_are_not_utf_8_are_told_and_printable(folder):
    os.close(os.open(os.fsencode(folder) + b"/caf\xe9.png", os.O_CREAT))
    touch(folder, "two\nlines.png")
    found = scan(folder, False)
    assert found.pictures == []
    assert found.left_out == {kinds.UNNAMABLE: [r"caf\xe9.png", r"two\nlines.png"]}


def test_a_folder_that_cannot_be_read_is_an_error(folder, monkeypatch):
    touch(folder, "a.png", "closed/b.png")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("engine.builtin.reading.scan.os.scandir", scandir)
    found = scan(folder, True)
    assert found.left_out == {kinds.CLOSED: ["closed (Permission denied)"]}
    assert kinds.CLOSED.severity == "error"


def test_masks_are_not_trained_and_a_mask_without_a_picture_is_told(folder):
    touch(folder, "a.png", "a-masklabel.png", "b-condlabel.png", "-masklabel.png")
    found = scan(folder, False)
    assert names(found) == ["a.png"]
    assert found.left_out == {kinds.LABEL_ALONE: ["-masklabel.png", "b-condlabel.png"]}


@pytest.mark.parametrize("name", ["a-masklabel.png", "a-MaskLabel.JPG", "a-condlabel.webp"])
def test_a_mask_of_any_format_is_no_training_picture(tmp_path, name):
    assert is_label(tmp_path / name)
    assert not is_picture(tmp_path / name)


def test_a_scan_ends_when_it_may_not_go_on(folder):
    touch(folder, *(f"{number}.png" for number in range(9)))
    found = scan(folder, False, keep_going=lambda files: files < 4)
    assert (len(found.pictures), found.complete) == (4, False)


def test_a_sentence_names_the_first_files_and_counts_the_others():
    kind = Kind("{number} {file is|files are} left out: {names}; remove {it|them}")
    findings = Findings()
    findings.add("concepts.0.path", kind, "a")
    assert findings.problems()[0].message == "1 file is left out: a; remove it"
    findings.add("concepts.0.path", kind, *[f"{number}{{}}" for number in range(2000)])
    (problem,) = findings.problems()
    assert problem.message == "2,001 files are left out: a, 0{}, 1{} and 1,998 more; remove them"


def test_every_kind_makes_a_sentence_for_one_and_for_several():
    found = [value for value in vars(kinds).values() if isinstance(value, Kind)]
    for kind in found:
        for some in (["a"], ["a", "b", "c", "d"]):
            message = kind.problem("concepts.0.path", some).message
            assert not set("{}|") & set(message), message
    assert len(found) > 9


def test_a_long_name_is_shortened():
    assert len(printable("x" * 255)) == 81


def test_a_folder_of_ten_thousand_names_needs_no_file_to_be_opened(folder, monkeypatch):
    touch(folder, *(f"{number}.png" for number in range(500)))
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("a picture was opened"))
    assert len(scan(folder, True).pictures) == 500
