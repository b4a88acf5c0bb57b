"""Changes to many captions at once: what each action does, previews, undo, and expressions that would take for ever."""

from __future__ import annotations

import pytest

from presets.datasets import versions
from presets.datasets.caption_edits import CaptionEdit, counted_tags, edit_captions
from tests.api import trainer
from tests.presets.datasets.sending import make_set, picture, send

pytestmark = pytest.mark.django_db
DOG, CAT, NONE = "a Dog, red, park", "cat, red", None


@pytest.fixture
def client():
    return trainer()


@pytest.fixture
def rex(client):
    data_set = make_set()
    for number, caption in enumerate((DOG, CAT, NONE)):
        send(client, data_set, f"{number}.png", picture((number, 0, 0)))
        if caption:
            send(client, data_set, f"{number}.txt", caption.encode())
    return data_set


def captions(data_set):
    return list(data_set.pictures.order_by("name").values_list("caption", flat=True))


@pytest.mark.parametrize(
    ("edit", "after"),
    (
        (CaptionEdit("add", "sunny, red"), ["a Dog, red, park, sunny", "cat, red, sunny", "sunny, red"]),
        (CaptionEdit("add_first", "photo"), ["photo, a Dog, red, park", "photo, cat, red", "photo"]),
        (CaptionEdit("remove", "RED, park"), ["a Dog", "cat", None]),
        (CaptionEdit("remove", "RED", match_case=True), [DOG, CAT, None]),
        (CaptionEdit("replace_tag", "red", "blue"), ["a Dog, blue, park", "cat, blue", None]),
        (CaptionEdit("replace_tag", "cat", "red"), [DOG, "red", None]),
        (CaptionEdit("replace", "dog", "wolf"), ["a wolf, red, park", CAT, None]),
        (CaptionEdit("replace", "d.g", "wolf"), [DOG, CAT, None]),
        (CaptionEdit("replace", "dog", r"\1"), [r"a \1, red, park", CAT, None]),
        (CaptionEdit("replace_regex", r"(\w+), red", r"red \1"), ["a red Dog, park", "red cat", None]),
        (CaptionEdit("prefix", "cat"), ["cat a Dog, red, park", CAT, "cat"]),
    ),
)
def test_each_action_changes_what_it_says_and_undo_takes_it_back(rex, edit, after):
    changed, _version = edit_captions(rex, None, edit, None)
    assert (captions(rex), changed) == (after, sum(a != b for a, b in zip(after, [DOG, CAT, NONE], strict=True)))
    if changed:
        versions.undo(rex, None)
        assert captions(rex) == [DOG, CAT, NONE]


def test_each_line_of_a_caption_is_changed_by_itself(client, rex):
    send(client, rex, "1.txt", b"cat\nred cat")
    edit_captions(rex, None, CaptionEdit("add", "old"), None)
    assert captions(rex)[1] == "cat, old\nred cat, old"


def change(client, rex, **body):
    return client.post(f"/api/datasets/{rex.pk}/captions", body)


def test_a_preview_changes_nothing_and_shows_before_and_after(client, rex):
    answer = change(client, rex, action="replace", text="red", replacement="blue", preview=True).json()
    assert answer["count"] == 2
    assert answer["changes"][1] == {"name": "1.png", "before": CAT, "after": "cat, blue"}
    assert captions(rex) == [DOG, CAT, NONE]


def test_only_the_chosen_pictures_are_changed(client, rex):
    one = rex.pictures.get(name="1.png").pk
    assert change(client, rex, action="add", text="old", pictures=[one]).json()["count"] == 1
    assert captions(rex) == [DOG, "cat, red, old", NONE]


@pytest.mark.parametrize(
    ("action", "text", "replacement", "says"),
    (
        ("replace_regex", "(", "", "not a regular expression"),
        ("replace_regex", "cat", r"\9", "does not fit"),
        ("add", " , ", "", "Type a text"),
        ("prefix", " ", "", "Type a text"),
    ),
)
def test_a_change_that_cannot_be_made_is_a_sentence(client, rex, action, text, replacement, says):
    answer = change(client, rex, action=action, text=text, replacement=replacement)
    assert (answer.status_code, says in answer.json()["detail"]) == (400, True)


def test_an_expression_that_would_take_for_ever_is_stopped(client, rex):
    send(client, rex, "0.txt", b"a" * 5000)
    answer = change(client, rex, action="replace_regex", text="(a|aa|a+)+(a+a+)+$b", preview=True)
    assert (answer.status_code, "takes too long" in answer.json()["detail"]) == (400, True)


def test_tags_are_counted_by_pictures(client, rex):
    assert dict(counted_tags(rex))["red"] == 2
    answer = client.get(f"/api/datasets/{rex.pk}/tags").json()
    assert (answer["total"], answer["tags"][0]) == (4, {"tag": "red", "count": 2})
