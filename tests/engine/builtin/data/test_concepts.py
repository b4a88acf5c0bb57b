"""Finding pictures and captions, and reporting their problems."""

import json

import pytest
from PIL import Image

from engine.builtin.data.concepts import check_data, find_pictures, survey
from engine.builtin.data.pictures import PictureIndex
from tests.engine.data import make_config, make_pictures


@pytest.fixture
def folder(tmp_path):
    return make_pictures(tmp_path / "stars", [(64, 64)] * 4)


def pictures_of(config, tmp_path):
    found = survey(config, PictureIndex(tmp_path))
    assert not [problem for problem in found.problems if problem.is_error]
    return {str(picture.path.relative_to(tmp_path)): picture.captions for picture in found.pictures}


def sentences(config):
    return [f"{problem.field}: {problem.message}" for problem in check_data(config, size_multiple=8)]


def test_good_data_has_no_problems(folder):
    assert check_data(make_config(folder)) == []


def test_captions_are_read_from_files_beside_the_pictures(folder, tmp_path):
    assert pictures_of(make_config(folder), tmp_path)["stars/2.png"] == ("picture 2",)


def test_each_line_of_a_text_is_a_caption(folder, tmp_path):
    (folder / "0.txt").write_text("\ufeffa star\n\n  a red star \n", encoding="utf-8")
    assert pictures_of(make_config(folder), tmp_path)["stars/0.png"] == ("a star", "a red star")


def test_an_empty_text_is_an_empty_caption(folder, tmp_path):
    (folder / "0.txt").write_text("")
    assert pictures_of(make_config(folder), tmp_path)["stars/0.png"] == ("",)


def test_captions_come_from_file_names(tmp_path):
    folder = make_pictures(tmp_path / "stars", [(64, 64)] * 2, captions=False)
    config = make_config(folder, {"text": {"prompt_source": "filename"}})
    assert pictures_of(config, tmp_path) == {"stars/0.png": ("0",), "stars/1.png": ("1",)}


def test_captions_come_from_one_file(tmp_path):
    folder = make_pictures(tmp_path / "stars", [(64, 64)] * 2, captions=False)
    (tmp_path / "prompts.txt").write_text("a star\nstars\n")
    config = make_config(folder, {"text": {"prompt_source": "concept", "prompt_path": str(tmp_path / "prompts.txt")}})
    assert set(pictures_of(config, tmp_path).values()) == {("a star", "stars")}


def test_subfolders_are_used_if_the_concept_says_so(folder):
    make_pictures(folder / "more", [(64, 64)])
    assert len(find_pictures(make_config(folder).concepts[0])) == 4
    assert len(find_pictures(make_config(folder, {"include_subdirectories": True}).concepts[0])) == 5


def test_masks_and_other_files_are_not_trained_on(folder):
    Image.new("L", (64, 64)).save(folder / "0-masklabel.png")
    (folder / "notes.json").write_text("{}")
    assert len(find_pictures(make_config(folder).concepts[0])) == 4


def test_a_disabled_concept_is_not_checked(folder):
    concepts = [{"path": "/nowhere", "enabled": False}, {"path": str(folder)}]
    assert check_data(make_config(folder, concepts=concepts)) == []


def test_concepts_may_be_in_a_file(folder, tmp_path):
    (tmp_path / "concepts.json").write_text(json.dumps([{"path": str(folder)}]))
    config = make_config(folder, concepts=None, concept_file_name=str(tmp_path / "concepts.json"))
    assert len(pictures_of(config, tmp_path)) == 4


def test_a_missing_folder_is_named(tmp_path):
    config = make_config(tmp_path / "nowhere")
    assert sentences(config) == [
        f"concepts.0.path: the folder '{tmp_path}/nowhere' does not exist; choose an existing folder"
    ]


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "there are no pictures in" in sentences(make_config(tmp_path / "empty"))[0]


def test_an_unreadable_picture_is_named(folder):
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:60])
    (message,) = sentences(make_config(folder))
    assert message.startswith("concepts.0.path: 1 file cannot be read as a picture: 2.png (the end of the file")


def test_a_picture_without_a_caption_is_told_and_trained_with_an_empty_caption(folder, tmp_path):
    (folder / "1.txt").unlink()
    (problem,) = check_data(make_config(folder))
    assert not problem.is_error
    assert problem.message.startswith("1 picture has no caption and is trained with an empty caption: 1.png; write")
    assert pictures_of(make_config(folder), tmp_path)["stars/1.png"] == ("",)


def test_a_caption_that_is_not_text_is_named(folder):
    (folder / "1.txt").write_bytes(b"\xff\xfe\xfa")
    (message,) = sentences(make_config(folder))
    assert message == (
        "concepts.0.path: 1 caption file cannot be read: 1.txt (it is not text in a known encoding); "
        "save it as UTF-8 text"
    )


def test_a_missing_file_of_captions_is_named_once(folder):
    config = make_config(folder, {"text": {"prompt_source": "concept", "prompt_path": "/nowhere.txt"}})
    (message,) = sentences(config)
    assert message.startswith("concepts.0.text.prompt_path: the caption file '/nowhere.txt' cannot be read")


def test_all_problems_are_named_at_once(folder):
    (folder / "0.png").write_bytes(b"")
    (folder / "1.txt").unlink()
    config = make_config(folder, concepts=[{"path": str(folder)}, {"path": "/nowhere"}])
    assert [problem.field for problem in check_data(config)] == [*["concepts.0.path"] * 2, "concepts.1.path"]


def test_many_bad_files_are_counted(folder):
    for number in range(4):
        (folder / f"{number}.png").write_bytes(b"")
    (message,) = sentences(make_config(folder))
    assert message == (
        "concepts.0.path: 4 files cannot be read as pictures: 0.png (the file is empty), 1.png (the file is empty), "
        "2.png (the file is empty) and 1 more; replace or remove them"
    )


def test_fewer_pictures_than_a_batch_is_named(folder):
    (message,) = sentences(make_config(folder, batch_size=5))
    assert message.startswith("batch_size: 4 pictures in an epoch do not fill a batch of 5")


def test_repeats_count_towards_a_batch(folder):
    found = check_data(make_config(folder, {"balancing": 2.0}, batch_size=5), size_multiple=8)
    assert not [problem for problem in found if problem.is_error]


def test_pictures_of_a_rare_shape_that_are_never_trained_are_a_warning(folder):
    Image.new("RGB", (128, 32)).save(folder / "wide.png")
    (folder / "wide.txt").write_text("wide")
    (problem,) = check_data(make_config(folder), size_multiple=8)
    assert (problem.severity, problem.field) == ("warning", "batch_size")
    assert "wide.png" in problem.message


def test_a_check_before_the_run_writes_no_folder(folder, tmp_path):
    check_data(make_config(folder))
    assert not (tmp_path / "cache").exists()


def test_a_stop_ends_the_check_of_the_files(folder, tmp_path):
    found = survey(make_config(folder), PictureIndex(tmp_path), should_stop=lambda: True)
    assert found.stopped
    assert found.pictures == []
