"""The verbs of lists: each is one step of a draft, and undo brings the list back."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from presets.config.configs import validate
from presets.config.shapes import size_of
from presets.editor import drafts
from presets.editor import list_verbs as lists
from tests.making import make_user
from web.errors import BadInput, StaleDraft

pytestmark = pytest.mark.django_db
STARS, MOONS = {"name": "stars", "path": "/a/stars"}, {"name": "moons", "path": "/a/moons"}


@pytest.fixture
def draft():
    draft = drafts.get_draft(make_user())
    return drafts.replace_config(draft, 0, {"concepts": [STARS, MOONS], "samples": [{"prompt": "one", "seed": 3}]})


def do(draft, command, text=""):
    return lists.do(draft, draft.revision, command, text).config


def undo_label(draft):
    return drafts.next_labels(draft)[0]


def test_a_concept_is_named_after_its_folder(draft):
    made = do(draft, "concepts:add", "/pictures/my cat")["concepts"][-1]
    assert (made["name"], made["path"], made["enabled"]) == ("my cat", "/pictures/my cat", True)
    assert undo_label(draft) == "Add concept 3"


def test_an_empty_draft_gets_its_first_concept():
    draft = drafts.get_draft(make_user())
    assert do(draft, "concepts:add")["concepts"] == [{"enabled": True}]
    assert not [one for one in validate(draft.config) if "type" in one.message]


def test_a_clone_follows_its_original_and_is_independent(draft):
    names = [item["name"] for item in do(draft, "concepts:clone:0")["concepts"]]
    assert names == ["stars", "stars copy", "moons"] and undo_label(draft) == "Clone concept 1"


def test_an_item_is_removed_and_undo_brings_it_back(draft):
    assert do(draft, "concepts:remove:0")["concepts"] == [MOONS]
    assert drafts.undo(draft, draft.revision).config["concepts"] == [STARS, MOONS]


def test_an_item_is_disabled_and_enabled(draft):
    assert do(draft, "concepts:toggle:1")["concepts"][1]["enabled"] is False
    assert undo_label(draft) == "Disable concept 2"
    assert do(draft, "concepts:toggle:1")["concepts"][1]["enabled"] is True
    assert undo_label(draft) == "Enable concept 2"


def test_steps_in_quick_succession_are_undone_one_by_one(draft):
    for _ in range(2):
        do(draft, "concepts:clone:0")
    assert len(drafts.undo(draft, draft.revision).config["concepts"]) == 3


@pytest.mark.parametrize(
    ("way", "order"), [("0:2", "bca"), ("2:0", "cab"), ("1:1", "abc"), ("1:0", "bac"), ("1:2", "acb")]
)
def test_an_item_is_moved(draft, way, order):
    drafts.replace_config(draft, draft.revision, {"samples": [{"prompt": name} for name in "abc"]})
    assert "".join(item["prompt"] for item in do(draft, f"samples:move:{way}")["samples"]) == order


def test_each_subfolder_with_pictures_becomes_a_concept(draft, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    for name in ("b10", "b9", "empty", ".hidden"):
        (tmp_path / name).mkdir()
    for name in ("b10", "b9", ".hidden"):
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    added = do(draft, "concepts:subfolders", str(tmp_path))["concepts"][2:]
    assert [(item["name"], item["path"]) for item in added] == [(name, str(tmp_path / name)) for name in ("b9", "b10")]
    assert undo_label(draft) == "Add 2 concepts"
    with pytest.raises(BadInput, match="not in the list yet"):
        do(draft, "concepts:subfolders", str(tmp_path))


def test_subfolders_outside_are_refused(draft):
    with pytest.raises(BadInput, match="outside the allowed folders"):
        do(draft, "concepts:subfolders", "/etc")


def test_each_line_becomes_a_sample_like_the_last(draft):
    added = do(draft, "samples:prompts", " a red star \r\n\n a blue star\n")["samples"][1:]
    assert [(item["prompt"], item["seed"]) for item in added] == [("a red star", 3), ("a blue star", 3)]


def test_the_first_sample_has_the_runs_resolution():
    draft = drafts.get_draft(make_user())
    drafts.apply(draft, 0, [{"field": "resolution", "value": "768, 1024"}])
    made = do(draft, "samples:add", "a star")["samples"][0]
    assert (made["width"], made["height"], made["prompt"]) == (768, 768, "a star")


def test_a_sample_gets_an_aspect_ratio_and_a_seed(draft):
    made = do(draft, "samples:aspect:0:16x9")["samples"][0]
    assert (made["width"], made["height"]) == size_of((16, 9), 512)
    assert do(draft, "samples:seed:0")["samples"][0]["seed"] != 3


def test_each_embedding_has_its_own_name_and_id(draft):
    for _ in range(2):
        do(draft, "additional_embeddings:add")
    made = do(draft, "additional_embeddings:clone:0")["additional_embeddings"]
    assert len({item["uuid"] for item in made}) == 3
    assert [item["placeholder"] for item in made] == ["<embedding>", "<embedding>", "<embedding1>"]
    assert do(draft, "additional_embeddings:toggle:0")["additional_embeddings"][0]["train"] is False


@pytest.mark.parametrize(
    "command",
    ["", "concepts", "concepts:fly:0", "optimizer:add", "concepts:clone", "concepts:clone:9", "concepts:clone:-1"]
    + ["concepts:move:0", "concepts:move:0:9", "concepts:clone:²", "samples:aspect:0:5x4", "samples:aspect:0"]
    + ["samples:prompts", "concepts:subfolders:"],
)
def test_an_invalid_command_is_refused_and_changes_nothing(draft, command):
    before = draft.config
    with pytest.raises(BadInput, match=r"\.$"):
        do(draft, command)
    assert draft.config == before


@pytest.mark.parametrize("content", [5, "text", {"a": 1}])
def test_a_value_that_is_not_a_list_is_refused(draft, content):
    drafts.replace_config(draft, draft.revision, {"concepts": content})
    with pytest.raises(BadInput, match="not a list"):
        do(draft, "concepts:add")


def test_an_item_that_is_not_an_object_can_only_be_removed(draft):
    drafts.replace_config(draft, draft.revision, {"concepts": [5]})
    for verb in ("toggle", "clone"):
        with pytest.raises(BadInput, match="not an object"):
            do(draft, f"concepts:{verb}:0")
    assert do(draft, "concepts:remove:0")["concepts"] == []


def test_too_many_items_are_refused(draft):
    drafts.replace_config(draft, draft.revision, {"concepts": [{}] * lists.MOST_ITEMS})
    with pytest.raises(BadInput, match=f"at most {lists.MOST_ITEMS:,} concepts"):
        do(draft, "concepts:add")
    with pytest.raises(BadInput, match="at once"):
        do(draft, "samples:prompts", "x\n" * 201)


def test_a_step_based_on_an_older_revision_is_refused(draft):
    with pytest.raises(StaleDraft):
        lists.do(draft, draft.revision - 1, "concepts:add")


def test_a_list_in_a_file_is_copied_into_the_config(tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    (tmp_path / "mine.json").write_text(json.dumps([STARS]))
    draft = drafts.get_draft(make_user())
    assert lists.file_of(draft, "concepts") == ""
    drafts.apply(draft, 0, [{"field": "concept_file_name", "value": str(tmp_path / "mine.json")}])
    assert lists.file_of(draft, "concepts") == str(tmp_path / "mine.json")
    assert do(draft, "concepts:take-in")["concepts"] == [STARS]
    assert lists.file_of(draft, "concepts") == "" and undo_label(draft) == "Copy concepts into the config"


def test_a_list_outside_the_allowed_folders_is_not_copied(draft, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    (tmp_path / "secret.json").write_text("[]")
    drafts.replace_config(draft, draft.revision, {"concept_file_name": str(tmp_path / "secret.json")})
    with pytest.raises(BadInput, match="outside"):
        do(draft, "concepts:take-in")
