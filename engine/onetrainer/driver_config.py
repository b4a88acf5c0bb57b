"""The config of a run as OneTrainer's own TrainConfig, with errors for values that it would accept silently.

OneTrainer's modules are imported inside functions: they are found only in its own Python, after the driver has set the
path, and a failed import must be explained like any other failure of the training.
"""

import io
import json
import os
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

from engine.interface.errors import BadConfig, Problem
from engine.interface.pickles import are_allowed, refusal
from engine.onetrainer.checks.rules import CLOUD
from engine.onetrainer.driver_failures import is_absent, models_of
from engine.onetrainer.guards.links import links_outside
from engine.onetrainer.guards.texts import refused_texts
from engine.paths import weights
from engine.paths.here import current
from engine.paths.names import hub_refusal

COULD_NOT = re.compile(r"Could not set (?P<name>.+?) as (?P<value>.*)")


def make_config(spec):
    """A TrainConfig, checked as far as possible before a model is loaded. Raises BadConfig."""
    from modules.util.config.TrainConfig import TrainConfig

    given = spec["config"]
    config = TrainConfig.default_values()
    problems = list(wrong_types(config, given))
    output = io.StringIO()
    with redirect_stdout(output):
        config.from_dict(given, migrate="__version" in given)
    problems += could_not_set(output.getvalue(), given)
    if problems:
        raise BadConfig(problems)
    fill_optimizer(config, given.get("optimizer") or {})
    adapt(config, spec)
    problems = [*refused_texts(config), *outside(config), *wrong_output(config), *pickled(config)]
    if config.cloud.enabled:
        problems.append(Problem("cloud.enabled", CLOUD))
    if problems:
        raise BadConfig(problems)
    keep_lists_beside(config)
    return config


def wrong_types(config, given, prefix=""):
    """Values that OneTrainer would accept silently: text as a switch, and a fraction cut to a whole number."""
    for name, value in given.items():
        kind = config.types.get(name)
        if kind is bool and not isinstance(value, bool):
            yield Problem(prefix + name, f"{value!r} must be true or false.")
        elif kind is int and isinstance(value, float) and value != int(value):
            yield Problem(prefix + name, f"{value!r} must be a whole number.")
        elif isinstance(value, dict) and hasattr(getattr(config, name, None), "types"):
            yield from wrong_types(getattr(config, name), value, f"{prefix}{name}.")


def could_not_set(output, given):
    """A problem for each complaint; other output goes to the log."""
    for line in output.splitlines():
        match = COULD_NOT.fullmatch(line)
        if match:
            paths = list(places(given, match["name"], match["value"])) or [match["name"]]
            yield from (Problem(path, f"{match['value']!r} is not a valid value here.") for path in paths)
        else:
            sys.stdout.write(line + "\n")


def places(value, name, text, prefix=""):
    """The paths at which a field of this name has this value: OneTrainer reports only the name."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if key == name and str(item) == text:
            yield f"{prefix}{key}"
        yield from places(item, name, text, f"{prefix}{key}.")


def fill_optimizer(config, given):
    """Settings of the optimizer that the run does not set take that optimizer's own defaults."""
    from modules.util.optimizer_util import OPTIMIZER_DEFAULT_PARAMETERS

    for name, value in OPTIMIZER_DEFAULT_PARAMETERS.get(config.optimizer.optimizer, {}).items():
        if name not in given:
            setattr(config.optimizer, name, value)


def adapt(config, spec):
    """Set the values that a training within the site needs, whatever the config says."""
    config.tensorboard = False  # its server would outlive a killed training
    config.cache_dir = str(Path(config.workspace_dir) / "cache")  # OneTrainer empties it: no other run may share it
    config.continue_last_backup = bool(spec.get("resume_from"))
    if config.continue_last_backup:
        config.clear_cache_before_training = False
    token = os.environ.get("HF_TOKEN")
    if token:
        config.secrets.huggingface_token = token


def wrong_output(config):
    """Problems that OneTrainer would find only after the training."""
    possible = getattr(config.model_type, "supported_output_formats", None)
    if possible and config.output_model_format not in possible(config.training_method):
        choices = ", ".join(str(one) for one in possible(config.training_method))
        yield Problem(
            "output_model_format",
            f"{config.output_model_format} does not fit {config.training_method} of {config.model_type}: choose one of "
            f"{choices}.",
        )
    target = Path(config.output_model_destination)
    folder = target if target.is_dir() else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        yield Problem("output_model_destination", f"{folder} cannot be written: choose another folder.")


def outside(config):
    """Links in the concepts' folders that lead where the site does not let this run read."""
    policy = current()
    return links_outside(config.concepts, policy) if policy is not None else ()


def pickled(config):
    """Weights that the site does not allow to be loaded, however the run came here."""
    policy = current()
    if policy.allows_pickles if policy is not None else are_allowed():
        return
    for field, name in models_of(config):
        path = Path(name).expanduser()
        why = weights.refusal(path) if path.exists() else refusal(name) or unusable(name, policy)
        if why:
            yield Problem(field, f"{why}.")


def unusable(name, policy):
    """Why a name without a file cannot be loaded from the hub; a missing file is reported by its own sentence."""
    if is_absent(name):
        return ""
    return hub_refusal(name, policy.hub_owners if policy is not None else ())


def keep_lists_beside(config):
    """Write inline concepts and samples to files too: OneTrainer copies them into each backup, for resuming.

    A run of the site has its lists in its config, so OneTrainer reads no other file of its own accord.
    """
    if current() is not None:
        config.concepts, config.samples = config.concepts or [], config.samples or []
    folder = Path(config.workspace_dir) / "lists"
    for items, field, name in (
        (config.concepts, "concept_file_name", "concepts.json"),
        (config.samples, "sample_definition_file_name", "samples.json"),
    ):
        if items is not None:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps([item.to_dict() for item in items], indent=4)
            (folder / name).write_text(text, encoding="utf-8")
            setattr(config, field, str(folder / name))
