"""Older configs are migrated by OneTrainer's own code if it is installed, and by ours if that fails."""

from __future__ import annotations

import sys

import pytest

from presets.config import configs
from presets.config.intake import take_in
from presets.config.migrate import migrate

CLASS = """
import enum


class Unit(enum.Enum):
    STEP = "STEP"

    def __str__(self):
        return self.value


class {name}:
    config_migrations = {migrations}

    @classmethod
    def default_values(cls):
        return cls()
"""
TRAIN = "{10: lambda data: {**data, 'theirs': True, 'unit': Unit.STEP, 'count': data['epochs'] + 1}}"
CONCEPT = "{1: lambda data: {**data, 'type': 'VALIDATION'}}"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with only the parts that the migration needs."""
    folder = tmp_path / "modules" / "util" / "config"
    folder.mkdir(parents=True)
    for name, migrations in (("TrainConfig", TRAIN), ("ConceptConfig", CONCEPT)):
        text = CLASS.replace("{name}", name).replace("{migrations}", migrations)
        (folder / f"{name}.py").write_text(f"print('libraries talk')\n{text}")
    monkeypatch.setenv("ONETRAINER_HOME", str(tmp_path))
    monkeypatch.setenv("ONETRAINER_PYTHON", sys.executable)
    return tmp_path


def test_onetrainers_own_migrations_are_used(checkout):
    found = migrate({"__version": 10, "epochs": 3, "concepts": [{"__version": 1}]})
    assert (found["theirs"], found["unit"], found["count"], found["__version"]) == (True, "STEP", 4, 11)
    assert found["concepts"] == [{"__version": 2, "type": "VALIDATION"}]


def test_our_own_migrations_are_used_if_onetrainers_fail(checkout, caplog):
    found = migrate({"__version": 10, "output_model_format": "SAFETENSORS", "training_method": "LORA"})
    assert found["output_model_format"] == "LEGACY_LORA" and "KeyError: 'epochs'" in caplog.text


def test_a_config_of_the_present_version_is_not_migrated(checkout):
    assert "theirs" not in migrate({"__version": 11, "epochs": 3})


def test_our_own_migrations_are_used_if_onetrainers_python_cannot_run(checkout, monkeypatch, caplog):
    monkeypatch.setenv("ONETRAINER_PYTHON", "/nowhere/python")
    assert "theirs" not in migrate({"__version": 10, "epochs": 3})
    assert "/nowhere/python" in caplog.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"min_snr_gamma": 5.0}, {"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5.0}),
        ({"save_after": 3, "save_after_unit": "EPOCH"}, {"save_every": 3, "save_every_unit": "EPOCH"}),
        ({"lora_layers": "attn", "lora_layers_regex": True}, {"layer_filter": "attn", "layer_filter_regex": True}),
        ({"vae_model_name": "owner/vae"}, {"vae": {"model_name": "owner/vae"}}),
        ({"unet": {}, "layer_offload_fraction": 0.5, "enable_async_offloading": False}, {"async_offloading": False}),
    ],
)
def test_a_name_of_an_older_version_is_migrated_without_a_version_instead_of_having_no_effect(old, new):
    found = migrate(old)
    assert configs.merge(found, new) == found
    assert not (old.keys() - new.keys() - {"unet"}) & found.keys()


def test_a_config_of_an_older_checkout_is_migrated_further_by_our_own_steps(checkout):
    text = (checkout / "modules/util/config/TrainConfig.py").read_text()
    (checkout / "modules/util/config/TrainConfig.py").write_text(text.replace("{10: ", "{8: "))
    old = {"__version": 8, "epochs": 3, "weight_dtype": "BFLOAT_16", "unet": {"weight_dtype": "NONE"}}
    found = migrate(old)
    assert found["theirs"] and found["__version"] == 11 and found["unet"]["weight_dtype"] == "BFLOAT_16"


def test_defaults_come_below_a_migrated_config_not_above_its_old_names():
    """A default of the new name must not hide the value that the old name has."""
    layer = take_in({"__version": 5, "save_after": 3, "lora_layers": "attn"}).config
    whole = configs.full_config("builtin", layer)
    assert (whole["save_every"], whole["layer_filter"]) == (3, "attn")
    assert not [one for one in configs.validate(layer) if "no effect" in one.message and "known" in one.message]
