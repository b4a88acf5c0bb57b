"""Older configs are migrated by OneTrainer's own code if it is installed, and by ours if that fails."""

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
