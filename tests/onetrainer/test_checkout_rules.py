"""The check knows what the installed OneTrainer cannot train, from its own code."""

from __future__ import annotations

import pytest

from engine.onetrainer import whole
from engine.onetrainer.checks import rules

FACTS = {
    "training_methods_by_model_type": {"SMALL": ["LORA", "FINE_TUNE"], "LARGE": ["LORA"]},
    "output_formats": {"SMALL": {"LORA": ["DIFFUSERS_LORA", "KOHYA_LORA"], "FINE_TUNE": ["DIFFUSERS", "ONE_FILE"]}},
    "folder_formats": ["DIFFUSERS"],
    "defaults": {"output_model_format": "SAFETENSORS"},
    "optimizer_packages": {"LION": {"lion_pytorch": True}, "MUON": {"muon": False}},
    "size_multiples": {"SMALL": {"": 8, "FINE_TUNE": 16}, "LARGE": {"": 64}},
    "widest_aspect": 4.0,
}


def found(**config):
    config = {"model_type": "LARGE", "training_method": "LORA", "aspect_ratio_bucketing": True} | config
    return {one.field: (one.severity, one.message) for one in rules.problems(config, FACTS)}


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({"training_method": "FINE_TUNE"}, "training_method", "FINE_TUNE does not exist for LARGE; choose LORA"),
        ({"model_type": "SMALL", "output_model_format": "GGUF"}, "output_model_format", "choose one of DIFFUSERS_LORA"),
        ({"optimizer": {"optimizer": "MUON"}}, "optimizer.optimizer", "MUON needs muon, which OneTrainer's Python"),
        ({"cloud": {"enabled": True}}, "cloud.enabled", "trains on its own machines"),
        ({"resolution": "64"}, "resolution", "64 is too small, since this model's pictures are cut to multiples of 64"),
        ({"resolution": "512,64"}, "resolution", "choose at least 128"),
        ({"resolution": "32x512"}, "resolution", "choose at least 64"),
        ({"resolution": "512x512,64"}, "resolution", "is no size"),
        ({"resolution": "0"}, "resolution", "is no size"),
        ({"resolution": "large"}, "resolution", "write sizes in pixels"),
        ({"resolution": "512x512", "aspect_ratio_bucketing": False}, "resolution", "write one number"),
        (
            {"concepts": [{"image": {"resolution_override": "64"}}]},
            "concepts.0.image.resolution_override",
            "is too small",
        ),
        (
            {"additional_embeddings": [{"uuid": "a"}, {"uuid": "a"}]},
            "additional_embeddings.1.uuid",
            "is the uuid of embedding 1 too",
        ),
    ],
)
def test_what_would_fail_is_an_error_at_its_field(config, field, words):
    ((name, (severity, message)),) = found(**config).items()
    assert (name, severity) == (field, "error") and words in message


@pytest.mark.parametrize(
    "config",
    [
        {"resolution": "65"},
        {"resolution": "512, 768", "optimizer": {"optimizer": "LION"}},
        {"resolution": "768x512", "cloud": {"enabled": False}},
        {"model_type": "SMALL", "resolution": "64", "training_method": "FINE_TUNE", "output_model_format": "ONE_FILE"},
        {"model_type": "NEXT_YEARS_MODEL", "resolution": "8", "output_model_format": "NEW"},
        {
            "model_type": 3,
            "resolution": 512,
            "concepts": [None],
            "optimizer": "ADAMW",
            "additional_embeddings": [{}, {}],
        },
    ],
)
def test_what_trains_and_what_the_checkout_does_not_tell_is_no_problem(config):
    assert found(**config) == {}


def test_a_size_that_is_cut_without_buckets_is_a_warning():
    severity, message = found(resolution="500", aspect_ratio_bucketing=False)["resolution"]
    assert severity == "warning" and "multiples of 64" in message


@pytest.mark.parametrize(
    ("config", "format"),
    [
        ({"training_method": "LORA"}, "DIFFUSERS_LORA"),
        ({"training_method": "FINE_TUNE", "output_model_destination": "model.safetensors"}, "ONE_FILE"),
        ({"training_method": "FINE_TUNE", "output_model_destination": "models/mine"}, "DIFFUSERS"),
    ],
)
def test_a_default_format_that_does_not_fit_becomes_the_usual_one_as_in_onetrainers_window(config, format):
    config |= {"model_type": "SMALL", "output_model_format": "SAFETENSORS"}
    assert rules.usual_format(config, FACTS) == format
    assert f"so {format} is written" in found(**config)["output_model_format"][1]
    assert rules.usual_format({**config, "output_model_format": "GGUF"}, FACTS) == ""


def test_a_checkout_accepts_a_config_that_it_trains(facts, config):
    usual = whole.completed({**facts["defaults"], **config}, facts)
    assert list(rules.problems(usual, facts)) == []


@pytest.mark.parametrize("change", [{"training_method": "NONE"}, {"output_model_format": "INTERNAL"}])
def test_a_checkout_refuses_what_it_says_it_cannot_do(facts, config, change):
    problems = rules.problems({**facts["defaults"], **config, **change}, facts)
    assert [(one.field, one.severity) for one in problems] == [(next(iter(change)), "error")]
