"""The settings of a config that the site itself reads; all other settings are for the engine alone."""

from __future__ import annotations

from typing import Any, TypedDict, cast

from engine.interface.json_types import JsonObject


class ConfigKeys(TypedDict, total=False):
    """Any of them may be missing, if another version of OneTrainer wrote the config."""

    backup_before_save: bool
    base_model_name: str
    batch_size: int
    concepts: list[dict[str, Any]]
    continue_last_backup: bool
    embedding: dict[str, Any]
    ema: str
    epochs: int
    gradient_accumulation_steps: int
    model_type: str
    optimizer: dict[str, Any]
    output_model_destination: str
    resolution: str
    rolling_backup: bool
    samples: list[dict[str, Any]]
    train_device: str
    training_method: str


def keys_of(config: JsonObject) -> ConfigKeys:
    """The same object, so that a type checker knows the settings by name."""
    return cast(ConfigKeys, config)
