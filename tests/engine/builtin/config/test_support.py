"""Each setting in the built-in trainer: it is supported, refused, or reported to make no difference."""

import re
from pathlib import Path

import pytest

import engine.builtin
from engine.builtin.config.check import check, leaves
from engine.builtin.config.effects import why_without_effect
from engine.builtin.config.enums import LearningRateScheduler
from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.schema import defaults, schema
from engine.builtin.config.support import CHOICES, NO_EFFECT, NOT_DONE
from engine.builtin.config.train_config import TrainConfig
from engine.schema import leaf as json_leaf

DATA = {"concepts": [{"path": "/pictures"}]}


def found(values, severity="error"):
    return {problem.field: problem.message for problem in check(DATA | values) if problem.severity == severity}


def test_onetrainers_defaults_lack_only_training_pictures():
    assert [problem.field for problem in check(defaults())] == ["concepts"]
    assert check(defaults() | DATA) == []


def test_a_disabled_item_may_have_any_settings():
    off = {"enabled": False, "type": "VALIDATION", "text": {"enable_tag_shuffling": True}}
    assert found({"concepts": [*DATA["concepts"], off], "samples": [{"enabled": False, "width": 33}]}) == {}


def test_the_checked_result_of_a_config_is_as_good_as_the_config():
    values = TrainConfig.from_dict(DATA | {"optimizer": {"optimizer": "ADAFACTOR"}}).to_dict()
    assert check(values) == []


def test_wrong_types_are_named():
    assert list(found({"epochs": "many"})) == ["epochs"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"model_type": "FLUX_DEV_1"}, "model_type"),
        ({"training_method": "EMBEDDING", "output_model_format": "SAFETENSORS"}, "training_method"),
        ({"optimizer": {"optimizer": "LION"}}, "optimizer.optimizer"),
        ({"loss_weight_fn": "SIGMA"}, "loss_weight_fn"),
        ({"train_dtype": "FLOAT_8"}, "train_dtype"),
        ({"text_encoder": {"weight_dtype": "NFLOAT_4"}}, "text_encoder.weight_dtype"),
        ({"peft_type": "LOKR"}, "peft_type"),
        ({"validation": True}, "validation"),
        ({"multi_gpu": True}, "multi_gpu"),
        ({"compile": True}, "compile"),
        ({"lora_decompose": True}, "lora_decompose"),
        ({"unet": {"offload_fraction": 0.5}}, "unet.offload_fraction"),
        ({"optimizer": {"fused_back_pass": True}}, "optimizer.fused_back_pass"),
        ({"cloud": {"enabled": True}}, "cloud.enabled"),
        ({"concepts": [{"path": "/p", "type": "VALIDATION"}]}, "concepts.0.type"),
        ({"concepts": [{"path": "/p", "text": {"prompt_source": "x"}}]}, "concepts.0.text.prompt_source"),
        ({"concepts": [{"path": "/p", "text": {"tag_dropout_mode": "x"}}]}, "concepts.0.text.tag_dropout_mode"),
        (
            {
                "model_type": "STABLE_DIFFUSION_15_INPAINTING",
                "samples": [{"sample_inpainting": True, "base_image_path": __file__}],
            },
            "samples.0.mask_image_path",
        ),
    ],
)
def test_unsupported_settings_are_refused_by_field(values, field):
    assert list(found(values)) == [field]


def test_a_model_that_no_engine_trains_is_refused_without_naming_one():
    message = found({"model_type": "STABLE_DIFFUSION_20_DEPTH"})["model_type"]
    assert message.startswith("depth models cannot be trained")
    assert "choose the OneTrainer engine" not in message


def test_a_refusal_names_the_supported_choices():
    message = found({"optimizer": {"optimizer": "LION"}})["optimizer.optimizer"]
    assert message.startswith("the built-in trainer supports ADAMW, PRODIGY and ADAFACTOR; choose one of them, or")
    assert "set it to false" in found({"compile": True})["compile"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"seed": 2**64}, "seed"),
        ({"seed": -1}, "seed"),
        ({"learning_rate": 1e30}, "learning_rate"),
        ({"lora_alpha": 1e300}, "lora_alpha"),
        ({"dataloader_threads": 10**9}, "dataloader_threads"),
        ({"optimizer": {"optimizer": "ADAFACTOR", "decay_rate": 0.8}}, "optimizer.decay_rate"),
        ({"samples": [{"seed": 2**64}]}, "samples.0.seed"),
        ({"samples": [{"diffusion_steps": 1001}]}, "samples.0.diffusion_steps"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"ema_decay": 1.5}, "ema_decay"),
        ({"samples": [{"diffusion_steps": 0}]}, "samples.0.diffusion_steps"),
        ({"concepts": [{"path": "/p", "balancing": -1}]}, "concepts.0.balancing"),
    ],
)
def test_values_out_of_range_are_refused_by_field(values, field):
    assert list(found(values)) == [field]


def test_a_changed_setting_without_effect_is_a_warning():
    values = {"dynamic_timestep_shifting": False, "transformer": {"train": False}, "frames": "9"}
    assert found(values) == {}
    assert set(found(values, "warning")) == {"transformer.train", "frames"}


def test_a_setting_of_another_optimizer_is_a_warning():
    assert list(found({"optimizer": {"optimizer": "ADAMW", "d_coef": 2.0}}, "warning")) == ["optimizer.d_coef"]


def test_an_unknown_setting_is_a_warning():
    assert list(found({"unet": {"new": 1}}, "warning")) == ["unet.new"]
    assert found({"weight_dtype": "BFLOAT_16"}, "warning") == {}


def test_a_lora_as_onetrainers_presets_set_it_up_is_accepted():
    values = {
        "training_method": "LORA",
        "output_model_format": "KOHYA_LORA",
        "output_model_destination": "models/lora.safetensors",
        "layer_filter_preset": "attn-mlp",
        "batch_size": 4,
        "unet": {"weight_dtype": "FLOAT_16"},
        "text_encoder": {"weight_dtype": "FLOAT_16"},
    }
    assert check(DATA | values) == []


@pytest.mark.parametrize("optimizer", CHOICES["optimizer.optimizer"])
@pytest.mark.parametrize("scheduler", [one for one in LearningRateScheduler if one not in ("ADAFACTOR", "CUSTOM")])
def test_every_optimizer_works_with_every_scheduler(optimizer, scheduler):
    rate = 1.0 if optimizer == "PRODIGY" else 1e-5
    values = {"optimizer": {"optimizer": optimizer}, "learning_rate_scheduler": scheduler, "learning_rate": rate}
    assert check(DATA | values) == []


def test_every_entry_of_the_tables_is_a_setting():
    config = TrainConfig.from_dict({"concepts": [{}], "samples": [{}]})
    patterns = {leaf.pattern for leaf in leaves(config)}
    known = patterns | {pattern.rsplit(".", depth)[0] for pattern in patterns for depth in (1, 2)}
    assert {*CHOICES, *NOT_DONE, *NO_EFFECT} <= known


def test_no_setting_is_ignored_silently():
    """A setting that is in no table must be read somewhere in the trainer."""
    files = Path(engine.builtin.__file__).parent.rglob("*.py")
    source = "\n".join(file.read_text() for file in files if not file.name.startswith(("config", "support.py")))
    optimizers = {name for optimizer in CHOICES["optimizer.optimizer"] for name in OPTIMIZER_DEFAULTS[optimizer]}
    notes = {"concepts.0.concept_stats", "optimizer_defaults"}
    whole = TrainConfig.from_dict({"concepts": [{}], "samples": [{}]}).to_dict()
    unread = [
        leaf.path
        for leaf in leaves(TrainConfig.from_dict({"concepts": [{}], "samples": [{}]}))
        if leaf.pattern not in NOT_DONE
        and len(CHOICES.get(leaf.pattern, "several")) > 1
        and not leaf.find_in(NO_EFFECT)
        and not why_without_effect(
            leaf.pattern, json_leaf(schema(), leaf.path), whole, (re.match(r"\w+\.0", leaf.path) or [""])[0]
        )
        and leaf.path not in notes
        and (not leaf.path.startswith("optimizer.") or leaf.path.removeprefix("optimizer.") in optimizers)
        and not re.search(rf'[."]{leaf.path.rsplit(".", 1)[-1]}\b', source)
    ]
    assert unread == []
