"""Reading and writing OneTrainer's training configs."""

import json
import math
import subprocess
import sys

import pytest

from engine.builtin.config.enums import NoiseScheduler, Optimizer, TrainingMethod
from engine.builtin.config.train_config import SECTIONS, ConceptConfig, TrainConfig
from engine.interface.errors import BadConfig


def problems_of(values):
    with pytest.raises(BadConfig) as caught:
        TrainConfig.from_dict(values)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_defaults_are_those_of_onetrainer():
    config = TrainConfig.default_values()
    assert (config.training_method, config.learning_rate, config.batch_size) == (TrainingMethod.FINE_TUNE, 3e-6, 1)
    assert (config.optimizer.optimizer, config.clip_grad_norm, config.seed) == (Optimizer.ADAMW, 1.0, 0)


def test_a_partial_preset_keeps_the_other_defaults():
    config = TrainConfig.from_dict({"training_method": "LORA", "unet": {"weight_dtype": "FLOAT_16"}})
    assert config.training_method is TrainingMethod.LORA
    assert config.unet.weight_dtype == "FLOAT_16"
    assert config.unet.train
    assert config.text_encoder.weight_dtype == "FLOAT_32"


def test_a_written_config_reads_back_the_same():
    config = TrainConfig.from_dict(
        {
            "concepts": [{"path": "/pictures", "image": {"enable_random_flip": True}}],
            "samples": [{"prompt": "a star", "noise_scheduler": "DDIM"}],
            "optimizer": {"optimizer": "PRODIGY"},
            "clip_grad_norm": None,
        }
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_lists_hold_settings():
    config = TrainConfig.from_dict({"concepts": [{"path": "/a"}], "samples": [{"noise_scheduler": "DDIM"}]})
    assert isinstance(config.concepts[0], ConceptConfig)
    assert config.samples[0].noise_scheduler is NoiseScheduler.DDIM


def test_two_configs_share_no_values():
    TrainConfig.default_values().unet.train = False
    assert TrainConfig.default_values().unet.train


def test_infinity_is_written_as_text():
    config = TrainConfig.from_dict({"optimizer": {"optimizer": "PRODIGY", "growth_rate": "inf"}})
    assert math.isinf(config.optimizer.growth_rate)
    assert config.to_dict()["optimizer"]["growth_rate"] == "inf"


def test_whole_numbers_pass_between_int_and_float():
    config = TrainConfig.from_dict({"learning_rate": 1, "batch_size": 4.0})
    assert (type(config.learning_rate), type(config.batch_size)) == (float, int)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"batch_size": "4"}, "batch_size"),
        ({"batch_size": 2.7}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_size": None}, "batch_size"),
        ({"learning_rate": "high"}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"latent_caching": 1}, "latent_caching"),
        ({"resolution": 512}, "resolution"),
        ({"unet": 3}, "unet"),
        ({"unet": {"train": "yes"}}, "unet.train"),
        ({"concepts": {}}, "concepts"),
        ({"concepts": [3]}, "concepts.0"),
        ({"concepts": [{}, {"image": {"enable_random_flip": 1}}]}, "concepts.1.image.enable_random_flip"),
        ({"optimizer": {"optimizer": "ADAMM"}}, "optimizer.optimizer"),
        ({"optimizer_defaults": {"PRODIGY": {"eps": "small"}}}, "optimizer_defaults.PRODIGY.eps"),
        ({"optimizer": {"optimizer": ["ADAMW"]}, "optimizer_defaults": {}}, "optimizer.optimizer"),
        ({"train_dtype": "FP16"}, "train_dtype"),
    ],
)
def test_a_wrong_type_names_its_field(values, field):
    assert list(problems_of(values)) == [field]


def test_all_wrong_fields_are_named_at_once():
    assert set(problems_of({"epochs": "x", "vae": {"train": 1}, "ema": "SOMETIMES"})) == {"epochs", "vae.train", "ema"}


def test_a_wrong_choice_names_the_valid_choices():
    assert problems_of({"ema": "SOMETIMES"})["ema"].endswith("choose OFF or GPU or CPU")
    assert "ADAM" in problems_of({"optimizer": {"optimizer": "ADAMM"}})["optimizer.optimizer"]


def test_a_list_in_place_of_a_config_is_refused():
    with pytest.raises(BadConfig):
        TrainConfig.from_dict([])


def test_unknown_keys_are_kept_and_named():
    values = {"new_setting": 1, "unet": {"x": 2}, "concepts": [{"y": 3}], "optimizer_defaults": {"LION": {"z": 4}}}
    config = TrainConfig.from_dict(values)
    assert set(config.walk_unknown()) == {"new_setting", "unet.x", "concepts.0.y", "optimizer_defaults.LION.z"}
    assert config.to_dict()["new_setting"] == 1
    assert config.to_dict()["unet"]["x"] == 2


def test_tokens_are_written_only_on_request():
    config = TrainConfig.from_dict({"secrets": {"huggingface_token": "hf_x"}})
    assert config.to_dict()["secrets"] == {}
    assert config.to_dict(secrets=True)["secrets"] == {"huggingface_token": "hf_x"}


def test_every_setting_has_a_section():
    names = [name for section in SECTIONS for name in section.hints()]
    assert sorted(names) == sorted(TrainConfig.hints())


def test_reading_configs_needs_no_torch():
    code = (
        "import sys, engine.builtin.preflight, engine.builtin.config.schema, engine.builtin.data.concepts;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
