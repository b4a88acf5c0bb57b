"""Settings of a concept that have no effect, or that cannot be used, are named by their field."""

import pytest

from engine.builtin.config.check import check

OFF = {"enable_crop_jitter": False}


def found(image=None, text=None, severity="warning", concept=None, **config):
    concepts = [{"path": "/p", "image": image or {}, "text": text or {}, **(concept or {})}]
    problems = check({"concepts": concepts, **config})
    fields = [problem.field.removeprefix("concepts.0.") for problem in problems if problem.severity == severity]
    return sorted(fields)


@pytest.mark.parametrize(
    ("image", "field"),
    [
        ({"random_rotate_max_angle": 5.0}, "image.random_rotate_max_angle"),
        ({"random_hue_max_strength": 0.1}, "image.random_hue_max_strength"),
        ({"resolution_override": "768"}, "image.resolution_override"),
        ({"enable_random_hue": True}, "image.enable_random_hue"),
        ({"enable_fixed_rotate": True}, "image.enable_fixed_rotate"),
        ({"enable_random_flip": True, "enable_fixed_flip": True}, "image.enable_fixed_flip"),
    ],
)
def test_a_change_of_pictures_without_effect_is_a_warning(image, field):
    assert found(image) == [field]
    assert found(image, severity="error") == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ({"tag_delimiter": ";"}, "text.tag_delimiter"),
        ({"keep_tags_count": 2}, "text.keep_tags_count"),
        ({"tag_dropout_probability": 0.1}, "text.tag_dropout_probability"),
        ({"caps_randomize_probability": 0.1}, "text.caps_randomize_probability"),
        ({"prompt_path": "/captions.txt"}, "text.prompt_path"),
        ({"tag_dropout_enable": True}, "text.tag_dropout_enable"),
        (
            {"tag_dropout_enable": True, "tag_dropout_probability": 0.1, "tag_dropout_special_tags": "red"},
            "text.tag_dropout_special_tags",
        ),
        (
            {"tag_dropout_enable": True, "tag_dropout_probability": 0.1, "tag_dropout_special_tags_mode": "WHITELIST"},
            "text.tag_dropout_special_tags",
        ),
    ],
)
def test_a_change_of_captions_without_effect_is_a_warning(text, field):
    assert found(text=text) == [field]


@pytest.mark.parametrize(
    ("image", "text", "field"),
    [
        ({"enable_fixed_hue": True, "random_hue_max_strength": 1.5}, {}, "image.random_hue_max_strength"),
        (
            {"enable_fixed_brightness": True, "random_brightness_max_strength": -1.5},
            {},
            "image.random_brightness_max_strength",
        ),
        ({}, {"enable_tag_shuffling": True, "tag_delimiter": ""}, "text.tag_delimiter"),
        (
            {},
            {"caps_randomize_enable": True, "caps_randomize_probability": 0.1, "caps_randomize_mode": "first, upper"},
            "text.caps_randomize_mode",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error(image, text, field):
    assert found(image, text, severity="error") == [field]


def test_a_bad_pattern_stands_for_itself_and_is_a_warning():
    text = {
        "tag_dropout_enable": True,
        "tag_dropout_probability": 0.1,
        "tag_dropout_special_tags_mode": "BLACKLIST",
        "tag_dropout_special_tags_regex": True,
        "tag_dropout_special_tags": "red, (",
    }
    assert found(text=text) == ["text.tag_dropout_special_tags"]


def test_variations_need_a_cache_and_something_random():
    assert found(OFF, concept={"image_variations": 2}) == ["image_variations"]
    assert found(concept={"image_variations": 2}, latent_caching=False) == ["image_variations"]
    assert found(concept={"text_variations": 2}) == ["text_variations"]
    trained = {"train": False}
    assert found(concept={"image_variations": 2, "text_variations": 2}, text_encoder=trained) == []


def test_a_concepts_seed_needs_something_random():
    assert found(OFF, {"prompt_source": "filename"}, concept={"seed": 5}) == ["seed"]
    assert found(OFF, concept={"seed": 5}) == []


def test_all_changes_together_are_accepted():
    image = {
        f"enable_random_{what}": True for what in ("flip", "rotate", "brightness", "contrast", "saturation", "hue")
    }
    strengths = {f"random_{what}_max_strength": 0.1 for what in ("brightness", "contrast", "saturation", "hue")}
    text = {
        "enable_tag_shuffling": True,
        "tag_delimiter": ";",
        "keep_tags_count": 2,
        "tag_dropout_enable": True,
        "tag_dropout_mode": "RANDOM WEIGHTED",
        "tag_dropout_probability": 0.1,
    }
    settings = image | strengths | {"random_rotate_max_angle": 5.0}
    assert found(settings, text) == found(settings, text, severity="error") == []
