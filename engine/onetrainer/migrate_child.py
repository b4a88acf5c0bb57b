"""Migrates a config of an older version: `python migrate_child.py CHECKOUT`, run by OneTrainer's own Python.

Reads the config as JSON, and prints one line of JSON behind MARK. Standard library only, beside OneTrainer itself.
"""

import enum
import json
import os
import sys

MARK = "onetrainer-migrated: "
VERSION = "__version"


def migrated(config):
    """The config after OneTrainer's own migrations; its concepts are migrated by their own."""
    from modules.util.config.ConceptConfig import ConceptConfig
    from modules.util.config.TrainConfig import TrainConfig

    config = migrate(config, TrainConfig.default_values())
    if isinstance(config.get("concepts"), list):
        config["concepts"] = [
            migrate(concept, ConceptConfig.default_values()) if isinstance(concept, dict) else concept
            for concept in config["concepts"]
        ]
    return config


def migrate(data, kind):
    """One migration per version, as `from_dict` does it."""
    version = data.get(VERSION, 0)
    while version in kind.config_migrations:
        data = kind.config_migrations[version](data)
        version += 1
    return {**data, VERSION: version}


def as_json(value):
    return str(value) if isinstance(value, enum.Enum) else repr(value)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.path.insert(0, sys.argv[1])
    print(MARK + json.dumps(migrated(json.load(sys.stdin)), default=as_json))  # noqa: T201  its answer
