"""Older configs are brought on by OneTrainer's own code where it is installed, and by ours where that cannot."""

from __future__ import annotations

import sys

import pytest

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
    """A checkout that has only what the migration asks of one."""
    folder = tmp_path / "modules" / "util" / "config"
    folder.mkdir(parents=True)
    for name, migrations in (("TrainConfig", TRAIN), ("ConceptConfig", CONCEPT)):
        text = CLASS.replace("{name}", name).replace("{migrations}", migrations)
        (folder / f"{name}.py").write_text(f"print('libraries talk')\n{text}")
    monkeypatch.setenv("ONETRAINER_HOME", str(tmp_path))
    monkeypatch.setenv("ONETRAINER_PYTHON", sys.executable)
    return tmp_path


def test_its_own_steps_are_taken(checkout):
    found = migrate({"__version": 10, "epochs": 3, "concepts": [{"__version": 1}]})
    assert (found["theirs"], found["unit"], found["count"], found["__version"]) == (True, "STEP", 4, 11)
    assert found["concepts"] == [{"__version": 2, "type": "VALIDATION"}]


def test_what_it_cannot_bring_on_our_own_steps_do(checkout, caplog):
    found = migrate({"__version": 10, "output_model_format": "SAFETENSORS", "training_method": "LORA"})
    assert found["output_model_format"] == "LEGACY_LORA" and "KeyError: 'epochs'" in caplog.text


def test_a_present_config_is_not_handed_to_it(checkout):
    assert "theirs" not in migrate({"__version": 11, "epochs": 3})


def test_a_python_that_cannot_be_run_is_no_hindrance(checkout, monkeypatch, caplog):
    monkeypatch.setenv("ONETRAINER_PYTHON", "/nowhere/python")
    assert "theirs" not in migrate({"__version": 10, "epochs": 3})
    assert "/nowhere/python" in caplog.text
