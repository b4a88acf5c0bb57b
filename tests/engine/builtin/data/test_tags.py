"""Changes of a caption's tags: order, probabilities and special tags."""

from collections import Counter
from random import Random

import pytest

from engine.builtin.config.concept import ConceptTextConfig
from engine.builtin.data.tags import TagEditor

TAGS = "star, red, big, (shiny), sky"


def edited(caption, seed=0, **settings):
    return TagEditor(ConceptTextConfig.from_dict(settings)).edit(caption, Random(seed))


def dropout(probability=1.0, **settings):
    return {"tag_dropout_enable": True, "tag_dropout_probability": probability} | {
        f"tag_dropout_{name}": value for name, value in settings.items()
    }


def test_without_a_switch_a_caption_stays_as_it_is():
    assert edited(" star,,red ", tag_delimiter=",") == " star,,red "


def test_the_first_tags_are_kept_and_the_others_shuffled():
    captions = {edited("a,b,c,d", seed, enable_tag_shuffling=True, keep_tags_count=2) for seed in range(20)}
    assert captions == {"a, b, c, d", "a, b, d, c"}


def test_every_order_is_equally_likely():
    counts = Counter(edited("a,b,c", seed, enable_tag_shuffling=True, keep_tags_count=0) for seed in range(3000))
    assert len(counts) == 6
    assert max(counts.values()) < 1.3 * min(counts.values())


def test_empty_tags_are_left_out_when_tags_are_edited():
    assert edited("a,, b ,", enable_tag_shuffling=True, keep_tags_count=9) == "a, b"


def test_another_delimiter_is_written_back():
    assert edited("a|b", enable_tag_shuffling=True, tag_delimiter="|", keep_tags_count=9) == "a| b"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "star"),
        ({"special_tags_mode": "WHITELIST", "special_tags": "red, sky"}, "star, red, sky"),
        ({"special_tags_mode": "BLACKLIST", "special_tags": "red, sky"}, "star, big, (shiny)"),
        ({"special_tags_mode": "WHITELIST", "special_tags": "shiny"}, "star"),
        (
            {"special_tags_mode": "WHITELIST", "special_tags": "s.*y, big", "special_tags_regex": True},
            "star, big, (shiny), sky",
        ),
        ({"special_tags_mode": "WHITELIST", "special_tags": "sh", "special_tags_regex": True}, "star"),
        ({"special_tags_mode": "WHITELIST", "special_tags": "(", "special_tags_regex": True}, "star"),
        ({"mode": "RANDOM"}, "star"),
        ({"mode": "RANDOM", "special_tags_mode": "WHITELIST", "special_tags": "big"}, "star, big"),
        ({"mode": "RANDOM", "special_tags_mode": "BLACKLIST", "special_tags": "big"}, "star, red, (shiny), sky"),
    ],
)
def test_dropout_at_probability_one_leaves_what_cannot_be_dropped(changes, expected):
    assert edited(TAGS, **dropout(**changes)) == expected


def test_full_dropout_drops_all_tags_together():
    counts = Counter(edited("a,b,c", seed, **dropout(0.25)) for seed in range(2000))
    assert set(counts) == {"a", "a, b, c"}
    assert 0.21 < counts["a"] / 2000 < 0.29


def kept(mode, position, probability):
    """How often the tag at a position of four stays."""
    settings = dropout(probability, mode=mode) | {"keep_tags_count": 0}
    return sum("abcd"[position] in edited("a,b,c,d", seed, **settings) for seed in range(2000)) / 2000


def test_random_dropout_drops_each_tag_by_itself():
    assert [kept("RANDOM", position, 0.4) for position in range(4)] == pytest.approx([0.6] * 4, abs=0.04)


def test_weighted_dropout_drops_later_tags_more_often():
    expected = [1 - 0.8 * place / 4 for place in (1, 2, 3, 4)]
    assert [kept("RANDOM WEIGHTED", position, 0.8) for position in range(4)] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("name", "content"), [("tags.txt", "red\r\nsky\n"), ("tags.csv", "red,1\nsky,2\n\n")])
def test_special_tags_may_be_in_a_file(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    settings = dropout(special_tags_mode="WHITELIST", special_tags=str(tmp_path / name))
    assert edited(TAGS, **settings) == "star, red, sky"


@pytest.mark.parametrize(
    ("way", "expected"), [("capslock", "RED STAR,SKY"), ("title", "Red Star,Sky"), ("first", "Red star,Sky")]
)
def test_case_is_changed_tag_by_tag(way, expected):
    settings = {"caps_randomize_enable": True, "caps_randomize_mode": way, "caps_randomize_probability": 1.0}
    assert edited("rED star, sKy", **settings) == expected


def test_random_case_changes_letters_alone():
    settings = {"caps_randomize_enable": True, "caps_randomize_mode": "random", "caps_randomize_probability": 1.0}
    captions = {edited("star", seed, **settings) for seed in range(300)}
    assert len(captions) == 16
    assert {caption.lower() for caption in captions} == {"star"}


def test_lower_case_needs_no_other_switch():
    assert edited("Red Star", caps_randomize_lowercase=True) == "red star"


def test_case_is_changed_with_the_given_probability():
    settings = {"caps_randomize_enable": True, "caps_randomize_mode": "capslock", "caps_randomize_probability": 0.3}
    changed = sum(edited("star", seed, **settings) == "STAR" for seed in range(2000))
    assert 0.26 < changed / 2000 < 0.34
