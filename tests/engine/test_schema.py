"""The config's JSON Schema and defaults."""

import copy
import tomllib

import jsonschema
import pytest

from engine import fields
from engine.builtin.config.facts import facts
from engine.builtin.config.schema import defaults, schema
from engine.builtin.config.train_config import TrainConfig
from engine.schema import applies, build, leaf, walk


def errors_of(config):
    return [error.json_path for error in jsonschema.Draft202012Validator(schema()).iter_errors(config)]


def test_the_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("config", [{}, defaults(), TrainConfig.default_values().to_dict()])
def test_the_defaults_fit_the_schema(config):
    assert errors_of(config) == []


def test_the_schema_refuses_wrong_values():
    config = {"batch_size": 0, "model_type": "X", "unet": {"train": 1}, "concepts": [{"path": 3}]}
    assert set(errors_of(config)) == {"$.batch_size", "$.model_type", "$.unet.train", "$.concepts[0].path"}


def test_infinity_is_allowed_where_it_means_something():
    assert errors_of({"optimizer": {"growth_rate": "inf"}}) == []
    assert errors_of({"learning_rate": "inf"}) == ["$.learning_rate"]


def test_every_field_has_a_title_a_sentence_and_a_place():
    tabs = {tab["id"] for tab in schema()["x-tabs"]}
    for path, field in walk(schema()):
        assert field["title"] and field["x-section"], path
        assert field["description"].rstrip().endswith("."), path
        assert field["x-tab"] in tabs, path
        assert field["x-order"] < fields.LAST, f"{path} is not in fields.toml"


def test_every_help_text_can_be_understood_alone():
    for path, field in walk(schema()):
        assert not field["description"].startswith(("That ", "Its ", "Those ", "How much.", "How often.", "In what")), (
            path
        )


def test_no_two_fields_side_by_side_have_the_same_title():
    for owner in (schema(), schema()["properties"]["optimizer"], schema()["properties"]["concepts"]["items"]):
        places = [
            (field.get("x-tab"), field.get("x-section"), field["title"]) for field in owner["properties"].values()
        ]
        assert len(places) == len(set(places))


def test_every_described_field_exists():
    known = {(owner, name) for owner, kind in facts()["classes"].items() for name in kind["fields"]}
    only_in_onetrainer = ("CloudConfig", "SecretsConfig", "CloudSecretsConfig")
    described = tomllib.loads(fields.FILE.read_text())
    for section in described["sections"]:
        owner = section.get("class", "TrainConfig")
        for name in section["fields"]:
            assert owner in only_in_onetrainer or (owner, name) in known
    assert all(leaf(schema(), path) for path in described["paths"])


def test_conditions_name_existing_fields_and_values():
    for path, field in walk(schema()):
        for other, values in field.get("x-applies", {}).items():
            item = path.rpartition("*.")[0]
            found = leaf(schema(), f"{item}*.{other[2:]}" if other.startswith("./") else other)
            assert found, f"{path} depends on {other}"
            if "enum" in found:
                assert set(values) <= set(found["enum"]), path


def test_a_field_of_a_newer_version_appears_under_its_object_with_a_readable_name():
    newer = copy.deepcopy(facts())
    new = {"type": "bool", "default": False, "nullable": False}
    newer["classes"]["TrainConfig"]["fields"]["ema_hyper_mode"] = new
    newer["classes"]["TrainModelPartConfig"]["fields"]["lora_dtype_switch"] = new
    newer["classes"]["ConceptImageConfig"]["fields"]["enable_random_zoom"] = new
    properties = build(newer)["properties"]
    assert properties["ema_hyper_mode"]["title"] == "EMA hyper mode"
    assert properties["ema_hyper_mode"]["x-tab"] == "general"
    assert properties["unet"]["properties"]["lora_dtype_switch"]["title"] == "LoRA data type switch"
    assert properties["unet"]["properties"]["lora_dtype_switch"]["x-section"] == "UNet"
    assert (
        properties["concepts"]["items"]["properties"]["image"]["properties"]["enable_random_zoom"]["x-tab"]
        == "concepts"
    )


@pytest.mark.parametrize(
    "path, config, there",
    [
        ("lora_rank", {"training_method": "LORA", "peft_type": "LORA"}, True),
        ("lora_rank", {"training_method": "FINE_TUNE", "peft_type": "LORA"}, False),
        ("lora_rank", {"training_method": "LORA", "peft_type": "LOKR"}, False),
        ("unet.train", {"model_type": "STABLE_DIFFUSION_15"}, True),
        ("unet.train", {"model_type": "FLUX_DEV_1"}, False),
        ("transformer.train", {"model_type": "FLUX_DEV_1"}, True),
        ("transformer.guidance_scale", {"model_type": "QWEN"}, False),
        ("text_encoder_2.train", {"model_type": "STABLE_DIFFUSION_XL_10_BASE"}, True),
        ("text_encoder_2.train", {"model_type": "STABLE_DIFFUSION_15"}, False),
        ("vae.train", {"model_type": "STABLE_DIFFUSION_15"}, False),
        ("optimizer.d_coef", {"optimizer": {"optimizer": "PRODIGY"}}, True),
        ("optimizer.d_coef", {"optimizer": {"optimizer": "ADAMW"}}, False),
        ("optimizer.fused", {"optimizer": {"optimizer": "ADAMW"}}, True),
        ("unmasked_weight", {"masked_training": True}, True),
        ("unmasked_weight", {"masked_training": False}, False),
        ("concept_file_name", {"concepts": None}, True),
        ("concept_file_name", {"concepts": []}, False),
        ("epochs", {}, True),
    ],
)
def test_a_field_applies_if_its_conditions_hold(path, config, there):
    assert applies(leaf(schema(), path), config) is there


def test_a_condition_can_name_a_neighbour_in_the_same_item():
    field = leaf(schema(), "concepts.0.text.prompt_path")
    assert applies(field, {}, {"text": {"prompt_source": "concept"}})
    assert not applies(field, {}, {"text": {"prompt_source": "sample"}})


def test_choices_are_shown_in_words():
    assert schema()["properties"]["model_type"]["x-labels"]["STABLE_DIFFUSION_XL_10_BASE"] == "Stable Diffusion XL"
    assert schema()["properties"]["train_dtype"]["x-labels"]["BFLOAT_16"] == "bfloat16"


def test_the_schema_says_which_choices_the_trainer_supports():
    fields = schema()["properties"]
    assert fields["peft_type"]["x-supported"] == ["LORA"]
    assert "compile" in fields["compile"]["x-note"]
    assert "x-note" not in fields["batch_size"]


def test_merging_another_optimizer_into_the_defaults_brings_its_own_settings():
    config = defaults()
    config["optimizer"] |= {"optimizer": "PRODIGY"}
    optimizer = TrainConfig.from_dict(config).optimizer
    assert (optimizer.weight_decay, optimizer.decouple, optimizer.d0) == (0, True, 1e-6)


def test_titles_are_words():
    assert fields.readable("lora_weight_dtype") == "LoRA weight data type"
