"""The demo's committed files: the data set, the config, and the model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.demo import make_dataset
from engine.demo.shapes import COLOURS
from engine.demo.stars import judge

DEMO = make_dataset.DATASET.parent
CONFIG = DEMO / "config.json"
PICTURES = sorted(make_dataset.DATASET.glob("*.png"))


@pytest.fixture(scope="module")
def config():
    return json.loads(CONFIG.read_text())


def caption_of(picture):
    return picture.with_suffix(".txt").read_text().strip()


def test_the_data_set_is_sixteen_captioned_pictures():
    assert len(PICTURES) == 16
    assert sorted(make_dataset.DATASET.glob("*.txt")) == [picture.with_suffix(".txt") for picture in PICTURES]


def test_the_data_set_equals_the_output_of_its_script(tmp_path):
    make_dataset.main(tmp_path)
    drawn = sorted(tmp_path.glob("*.png"))
    assert [picture.name for picture in drawn] == [picture.name for picture in PICTURES]
    for new, committed in zip(drawn, PICTURES, strict=True):
        assert caption_of(new) == caption_of(committed)
        assert np.array_equal(np.asarray(Image.open(new)), np.asarray(Image.open(committed)))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_each_picture_shows_the_star_that_its_caption_names(picture):
    verdict = judge(Image.open(picture))
    assert verdict.is_star
    assert caption_of(picture).startswith(f"a {verdict.colour} star on ")


def test_the_text_encoder_is_named_as_older_transformers_read_it_too():
    with safe_open(DEMO / "model" / "text_encoder" / "model.safetensors", "pt") as weights:
        assert all(name.startswith("text_model.") for name in weights.keys())  # noqa: SIM118  it is no dict


def test_no_two_pictures_have_the_same_caption():
    captions = [caption_of(picture) for picture in PICTURES]
    assert len(set(captions)) == 16
    assert {caption.split()[1] for caption in captions} == set(COLOURS)


def test_the_whole_config_is_read(config):
    unknown = [problem for problem in check(config) if "unknown" in problem.message.lower()]
    assert unknown == []
    assert TrainConfig.from_dict(config).to_dict().items() >= {"seed": 1, "lora_rank": 32, "batch_size": 8}.items()


def test_the_config_names_only_what_the_built_in_engine_supports(config):
    assert check(TrainConfig.from_dict(config).to_dict()) == []


def test_a_setting_that_is_not_supported_would_be_found(config):
    assert [problem.field for problem in check({**config, "training_method": "EMBEDDING"}) if problem.is_error] == [
        "training_method"
    ]


def test_the_config_trains_six_hundred_steps(config):
    steps = len(PICTURES) // config["batch_size"] * config["epochs"]
    assert steps == 600


def test_the_config_names_the_demos_own_model_and_data_set(config):
    root = DEMO.parent.parent
    assert root / config["base_model_name"] == DEMO / "model"
    assert root / config["concepts"][0]["path"] == make_dataset.DATASET
