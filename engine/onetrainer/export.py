"""Prints the facts of a OneTrainer checkout's configs: `python export.py CHECKOUT`, run by OneTrainer's own Python.

Prints one line of JSON behind MARK, since the imported modules may print too: the classes of the config with the types,
defaults and version of their fields, the choices of their enums, the training methods, output formats and parts of each
model type, the parameters of each optimizer, and what only its source shows (source_facts.py). Standard library only,
beside OneTrainer itself.
"""

import enum
import inspect
import json
import math
import os
import sys
import types
import typing
import uuid
from pathlib import Path

MARK = "onetrainer-facts: "
NO_UUID = str(uuid.UUID(int=0))
ROOT = Path(__file__).resolve().parent.parent.parent


def export():
    """All facts of the checkout that is on sys.path."""
    from modules.util.config.TrainConfig import TrainConfig
    from modules.util.enum.ModelFormat import ModelFormat
    from modules.util.enum.ModelType import ModelType

    from engine.onetrainer import source_facts

    collected = Collected(TrainConfig.default_values().model_type)
    collected.add(TrainConfig)
    return {
        "root": TrainConfig.__name__,
        "classes": collected.classes,
        "enums": collected.enums,
        "defaults": default_config(TrainConfig),
        "sample_defaults": sample_defaults(ModelType),
        "training_methods_by_model_type": {
            str(model): [str(method) for method in model.supported_training_methods()] for model in ModelType
        },
        "output_formats": {str(model): output_formats(model) for model in ModelType},
        "model_parts": {str(model): list(model.model_parts()) for model in ModelType if hasattr(model, "model_parts")},
        "model_formats": [str(choice) for choice in ModelFormat],
        "folder_formats": [str(choice) for choice in ModelFormat if is_folder(choice)],
        "optimizer_parameters": optimizer_parameters(),
        **source_facts.of(Path.cwd()),
    }


class Collected:
    """Config classes and enums, each once, found recursively from one class."""

    def __init__(self, model_type):
        self.model_type = model_type
        self.classes = {}
        self.enums = {}

    def add(self, kind):
        if kind.__name__ in self.classes:
            return
        instance, again = self.instance(kind), self.instance(kind)
        self.classes[kind.__name__] = {"version": instance.config_version, "fields": {}}
        fields = self.classes[kind.__name__]["fields"]
        for name, hint in instance.types.items():
            self.look_into(hint)
            default = plain_default(instance.default_values[name])
            fields[name] = {"type": type_name(hint), "default": default, "nullable": bool(instance.nullables[name])}
            if default != plain_default(again.default_values[name]):
                fields[name] |= {"default": without_chance(default), "random": random_kind(default)}

    def instance(self, kind):
        """An instance with the defaults; those of a sample follow the type of model."""
        takes_model = "model_type" in inspect.signature(kind.default_values).parameters
        return kind.default_values(self.model_type) if takes_model else kind.default_values()

    def look_into(self, hint):
        for inner in typing.get_args(hint):
            self.look_into(inner)
        if inspect.isclass(hint) and not typing.get_args(hint):
            if issubclass(hint, enum.Enum):
                self.enums[hint.__name__] = [str(choice) for choice in hint]
            elif hasattr(hint, "default_values"):
                self.add(hint)


def type_name(hint):
    """`int`, `TimeUnit`, `list[SampleConfig]`, `dict[str, str]`; None beside a type is reported by `nullable`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, dict):
        return f"{origin.__name__}[{', '.join(type_name(one) for one in arguments)}]"
    if origin in (typing.Union, getattr(types, "UnionType", None)):
        return type_name(next(one for one in arguments if one is not type(None)))
    return getattr(hint, "__name__", str(hint))


def random_kind(value):
    """What OneTrainer makes anew for each config: a uuid, or a number."""
    return "uuid" if isinstance(value, str) else "number"


def without_chance(value):
    """The same each time, in place of a random default."""
    return NO_UUID if isinstance(value, str) else 0


def plain_default(value):
    """An object has no default of its own: its fields do."""
    return None if hasattr(value, "to_dict") else as_json(value)


def default_config(kind):
    """A whole config as OneTrainer writes it, with random values made the same each time."""
    return alike(as_json(kind.default_values().to_dict()), as_json(kind.default_values().to_dict()))


def alike(one, other):
    """The first of two configs, where they differ with values that are the same each time."""
    if isinstance(one, dict):
        return {key: alike(value, other[key]) for key, value in one.items()}
    return one if one == other else without_chance(one)


def sample_defaults(model_types):
    """By model type the defaults of a sample's fields that depend on it."""
    from modules.util.config.SampleConfig import SampleConfig

    by_type = {str(model): as_json(SampleConfig.default_values(model).default_values) for model in model_types}
    first = next(iter(by_type.values()))
    depend = [name for name in first if any(own[name] != first[name] for own in by_type.values())]
    return {model: {name: own[name] for name in depend} for model, own in by_type.items()}


def output_formats(model):
    """By training method the formats in which this type of model can be written; empty if OneTrainer does not say."""
    if not hasattr(model, "supported_output_formats"):
        return {}
    return {
        str(method): [str(choice) for choice in model.supported_output_formats(method)]
        for method in model.supported_training_methods()
    }


def is_folder(model_format):
    return hasattr(model_format, "is_single_file") and not model_format.is_single_file()


def optimizer_parameters():
    from modules.util.optimizer_util import OPTIMIZER_DEFAULT_PARAMETERS

    return {str(optimizer): as_json(own) for optimizer, own in OPTIMIZER_DEFAULT_PARAMETERS.items()}


def as_json(value):
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return as_json(value.to_dict()) if hasattr(value, "to_dict") else value


if __name__ == "__main__":
    os.chdir(sys.argv[1])  # relative paths in OneTrainer start at its checkout
    sys.path.insert(0, sys.argv[1])
    sys.path.append(str(ROOT))
    sys.stdout.write(MARK + json.dumps(export(), allow_nan=False) + "\n")
