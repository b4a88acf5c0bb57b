"""Merge configs, compare them, and check them before they are used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.utils.translation import gettext as _

from engine.builtin.config.check import check_ranges, check_values
from engine.builtin.config.readable import read_what_is_right
from engine.builtin.config.train_config import SampleConfig
from engine.engines import ENGINES, Engine, Unavailable, UnknownEngine, get_engine
from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject
from engine.onetrainer.facts import StillReading
from engine.paths.here import reading_by
from engine.tokens import SECRET, without_secrets
from presets.config.files import FILES_OF_LISTS, with_inline_files
from presets.config.named_paths import Reads
from presets.config.paths import check_paths, check_sample_paths, with_absolute_paths
from web.errors import BadInput, NotReady
from web.paths.site import policy

MOST_DEPTH, LONGEST_LIST, LONGEST_TEXT = 12, 1_000, 20_000
LONGEST_NAME = 200
READING_SECONDS = 20.0  # OneTrainer imports torch before it can list its settings
LARGEST_NUMBER = 2**64  # programs that read a config refuse larger whole numbers
TOKEN_LEFT_OUT = "was left out, since tokens are not saved in a config; set yours on the account page"
Config = dict[str, Any]


def merge(*layers: Config) -> Config:
    """Merge layers; later layers win. Objects merge by field, lists and values are replaced; no layer changes."""
    result: Config = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both_objects = isinstance(value, dict) and isinstance(below, dict)
            result[key] = merge(below, value) if both_objects else value  # type: ignore[arg-type]
    return result


@contextmanager
def asking_an_engine() -> Iterator[None]:
    """Raises BadInput for an unknown or unavailable engine, NotReady while the engine's settings are being read."""
    try:
        yield
    except StillReading as error:
        raise NotReady(str(error), {"engine": [str(error)]}) from error
    except (UnknownEngine, Unavailable) as error:
        raise BadInput(str(error), {"engine": [str(error)]}) from error


def give_time(engine: str) -> None:
    """The engine, for a request of a script: right after the site's start it waits instead of being refused."""
    with suppress(UnknownEngine):
        get_engine(engine).give_time(READING_SECONDS)


def defaults(engine: str = "builtin") -> Config:
    """A full config of the engine; raises as `asking_an_engine` does."""
    with asking_an_engine():
        return get_engine(engine).defaults()


def full_config(engine: str, *layers: Config) -> Config:
    """The engine's defaults merged with the layers."""
    return merge(defaults(engine), *layers)


def difference(config: Config, base: Config) -> Config:
    """The difference for which `merge(base, difference)` gives `config`, as a preset saves it."""
    result: Config = {}
    for key, value in config.items():
        below = base.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            if nested := difference(value, below):
                result[key] = nested
        elif key not in base or value != below or isinstance(value, bool) != isinstance(below, bool):
            result[key] = value  # in Python, true is 1
    return result


def leaves(config: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its dotted path; `concepts.0.path` for the items of lists of objects."""
    if isinstance(config, dict) and config:
        items: Any = config.items()
    elif isinstance(config, list) and any(isinstance(item, dict) for item in config):
        items = enumerate(config)
    else:
        yield prefix, config
        return
    for key, value in items:
        yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))


def secret_fields(config: object) -> list[str]:
    """The paths of the non-empty tokens in a config."""
    return sorted({_secret_part(field) for field, value in leaves(config) if value and _secret_part(field)})


def left_out(config: object) -> list[Problem]:
    """A warning to the sender for each token in a config, since tokens are not saved."""
    return [Problem(field, TOKEN_LEFT_OUT, "warning") for field in secret_fields(config)]


def _secret_part(field: str) -> str:
    parts = field.split(".")
    at = next((number for number, part in enumerate(parts) if part in SECRET), None)
    return "" if at is None else ".".join(parts[: at + 1])


def flat_difference(before: Config, after: Config) -> list[JsonObject]:
    """The fields that differ, in the order of their paths; a side that lacks a field has None there."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return [
        {"field": field, "before": old.get(field), "after": new.get(field)}
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field) or (field in old) != (field in new)
    ]


def validate(config: object, engine: str = "builtin") -> list[Problem]:
    """All problems of a partial or full config, before anything is started."""
    if problems := list(_limits(config)):
        return problems
    problems = left_out(config)
    whole = full_config(engine, without_secrets(config))
    try:
        whole = with_inline_files(whole)
    except BadInput as error:
        problems += [Problem(field, message) for field, messages in error.errors.items() for message in messages]
        whole |= {field: [] for field in FILES_OF_LISTS if not whole.get(field)}
    try:
        problems += _checked_by(get_engine(engine), whole)
    except Unavailable as error:  # the checkout was changed at this very moment
        return [Problem("engine", str(error))]
    return [*problems, *check_paths(whole, Reads.of(engine))]


def _checked_by(engine: Engine, whole: Config) -> list[Problem]:
    """The engine's own check, which reads the files that the config names only as the site allows."""
    with reading_by(policy()):
        return engine.check(whole)


def freeze(engine: str, partial: Config) -> Config:
    """The whole config of a run: defaults filled in, lists read from their files, paths absolute, no secrets."""
    whole = with_inline_files(full_config(engine, partial))
    return without_secrets(with_absolute_paths(whole, Reads.of(engine)))


def sample_settings(sent: Any, config: Config) -> Config:
    """A whole SampleConfig from what a client sent; raises BadInput by field.

    Size, steps and the like default to the run's first sample prompt, then to OneTrainer's own values.
    """
    if not isinstance(sent, dict):
        raise BadInput(_("Send the sample's settings as a JSON object with at least a prompt."))
    sent = dict(sent)
    if "steps" in sent:
        sent.setdefault("diffusion_steps", sent.pop("steps"))
    model: Config = next(iter(config.get("samples") or []), {})
    shape = {
        key: model[key]
        for key in ("width", "height", "diffusion_steps", "cfg_scale", "noise_scheduler")
        if key in model
    }
    settings = {**SampleConfig().to_dict(), **shape, **sent}
    if not isinstance(settings["prompt"], str) or not settings["prompt"].strip():
        raise BadInput(
            _("prompt: describe the picture to generate."), {"prompt": [_("Describe the picture to generate.")]}
        )
    try:
        sample = SampleConfig.from_dict(settings)
    except BadConfig as error:
        refuse_errors(error.problems)
    refuse_errors([*check_ranges(sample), *check_sample_paths(sample.to_dict())])
    return sample.to_dict()


def check_form(config: Any) -> list[Problem]:
    """The problems of a partial config that are the same for every engine: names, types, choices, ranges and paths.

    Missing fields are no problem, since each run fills them in; `engines_for` says which engines can train it.
    """
    if problems := list(_limits(config)):
        return problems
    parsed, problems = read_what_is_right(config)
    outside = check_paths(merge(get_engine("builtin").defaults(), config), must_exist=False)
    return [*problems, *check_values(parsed), *outside]


def check_edited(config: object, engine: str, of_preset: bool) -> list[Problem]:
    """The problems that an editor shows: for a preset those of its form, for a new run all that prevent its start."""
    return check_form(config) if of_preset else validate(config, engine)


def engines_for(config: Config) -> list[JsonObject]:
    """Each engine with its `name` and `title`, and `why_not`: the first field of this config that it cannot train."""
    named = [field for field, _ in leaves(config)]
    return [
        {"name": engine.name, "title": engine.title, "why_not": _why_not(engine, config, named)}
        for engine in ENGINES.values()
    ]


def _why_not(engine: Engine, config: Config, named: list[str]) -> str:
    if why := engine.why_unavailable():
        return why
    problems = _checked_by(engine, merge(engine.defaults(), config))
    about = (one for one in problems if one.is_error and any(_one_holds_the_other(one.field, name) for name in named))
    first = next(about, None)
    return f"{first.field}: {first.message}" if first else ""


def refuse_endless(config: object) -> None:
    """Raise BadInput for a config that is too large or deep even for a draft, which may be incomplete or wrong."""
    refuse_errors(list(_limits(config)))


def _limits(config: object, path: str = "", depth: int = 0) -> Iterator[Problem]:
    """A problem for each endless list, text and nesting, and for each number that JSON does not have."""
    if depth == 0 and not isinstance(config, dict):
        yield Problem("", _("A config is a JSON object: send {...} with OneTrainer's field names."))
    elif depth > MOST_DEPTH:
        yield Problem(path, f"is nested more than {MOST_DEPTH} levels deep, which no setting needs")
    elif isinstance(config, str) and len(config) > LONGEST_TEXT:
        yield Problem(path, f"has {len(config):,} characters; write at most {LONGEST_TEXT:,}")
    elif isinstance(config, float) and not math.isfinite(config):
        yield Problem(path, 'must be a number that JSON has; write "inf" for infinity')
    elif isinstance(config, int) and abs(config) > LARGEST_NUMBER:
        yield Problem(path, "is too large a number for any setting; write a smaller number")
    elif isinstance(config, list | dict) and len(config) > LONGEST_LIST:
        yield Problem(path, f"has {len(config):,} entries; keep at most {LONGEST_LIST:,}")
    elif isinstance(config, list | dict):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            if len(str(key)) > LONGEST_NAME:
                yield Problem(
                    str(key)[:50], f"is a name of {len(str(key)):,} characters, longer than any setting's name"
                )
            yield from _limits(value, f"{path}.{key}"[:200] if path else str(key)[:200], depth + 1)


def _one_holds_the_other(field: str, other: str) -> bool:
    return f"{field}.".startswith(f"{other}.") or f"{other}.".startswith(f"{field}.")


def refuse_errors(problems: list[Problem]) -> None:
    """Raise BadInput with a message by field if any of the problems is an error."""
    errors: dict[str, list[str]] = {}
    for problem in problems:
        if problem.is_error:
            errors.setdefault(problem.field, []).append(problem.message)
    if errors:
        first = next(iter(errors))
        more = f" (and {len(errors) - 1} more fields)" if len(errors) > 1 else ""
        label = f"{first}: " if first else ""
        raise BadInput(f"{label}{errors[first][0]}{more}", errors)
