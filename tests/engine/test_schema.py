"""The config's JSON Schema and defaults."""

import jsonschema
import pytest

from engine.builtin.config import TrainConfig
from engine.builtin.schema import defaults, schema, title


def errors_of(config):
    return [error.json_path for error in jsonschema.Draft202012Validator(schema()).iter_errors(config)]


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("config", [{}, defaults(), TrainConfig.default_values().to_dict()])
def test_defaults_fit_it(config):
    assert errors_of(config) == []


def test_it_finds_what_is_wrong():
    config = {"batch_size": 0, "model_type": "X", "unet": {"train": 1}, "concepts": [{"path": 3}]}
    assert set(errors_of(config)) == {"$.batch_size", "$.model_type", "$.unet.train", "$.concepts[0].path"}


def test_infinity_is_allowed_where_it_means_something():
    assert errors_of({"optimizer": {"growth_rate": "inf"}}) == []
    assert errors_of({"learning_rate": "inf"}) == ["$.learning_rate"]


def test_every_field_has_a_title_and_a_description():
    for name, field in schema()["properties"].items():
        assert field["title"] and field["description"] and field["x-section"], name


def test_it_says_what_the_trainer_has_and_has_not():
    fields = schema()["properties"]
    assert fields["peft_type"]["x-supported"] == ["LORA"]
    assert "masks" in fields["masked_training"]["x-note"]
    assert "x-note" not in fields["batch_size"]


def test_laying_another_optimizer_over_the_defaults_brings_its_own_settings():
    config = defaults()
    config["optimizer"] |= {"optimizer": "PRODIGY"}
    optimizer = TrainConfig.from_dict(config).optimizer
    assert (optimizer.weight_decay, optimizer.decouple, optimizer.d0) == (0, True, 1e-6)


def test_titles_are_words():
    assert title("lora_weight_dtype") == "LoRA weight number format"
