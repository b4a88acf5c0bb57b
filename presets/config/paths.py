"""Which files, folders and models a config may name: judged before they are used, by the site's door."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.interface.paths import exists
from engine.paths import weights
from engine.paths.names import hub_refusal
from engine.paths.policy import Purpose, Refused
from engine.schema import value_at
from presets.config.destinations import destination_refusal, folder_refusal
from presets.config.dotted import with_value
from presets.config.named_paths import MODELS, NamedPath, Reads, named_paths
from web.paths.site import judge, policy, refusal


def check_paths(config: JsonObject, reads: Reads | None = None, must_exist: bool = True) -> list[Problem]:
    """A problem for each path of the config that is not allowed, or that does not exist but will be read.

    Without `must_exist`, as for a preset, only a path that is not allowed is a problem.
    """
    found = ((named, why_not(named, must_exist)) for named in named_paths(config, reads or Reads.of_any()))
    return [Problem(named.field, sentence) for named, sentence in found if sentence]


def check_sample_paths(sample: JsonObject) -> list[Problem]:
    """A problem for each picture that a sample's settings name and that is not allowed, whether it is used or not."""
    found = named_paths({"samples": [sample]}, Reads.of_any())
    refused = ((one, refusal(one.absolute, one.purpose)) for one in found if one.field.startswith("samples.0."))
    return [Problem(one.field.removeprefix("samples.0."), sentence) for one, sentence in refused if sentence]


def why_not(named: NamedPath, must_exist: bool = True) -> str | None:
    """Why this path may not be used, in a sentence."""
    if named.is_default and named.purpose is not Purpose.LOAD_MODEL:
        return None  # the engine falls back to it
    if named.from_hub:
        return hub_refusal(named.text, policy().hub_owners) or None
    if named.purpose is Purpose.WRITE_MODEL:
        return destination_refusal(named.text, look=must_exist)
    if named.purpose is Purpose.WRITE_FOLDER:
        return folder_refusal(named.text)
    return _why_unreadable(named, must_exist)


def _why_unreadable(named: NamedPath, must_exist: bool) -> str | None:
    if sentence := refusal(named.absolute, named.purpose):
        return sentence
    if not must_exist:
        return None
    if named.applies and _must_be_there(named) and (sentence := missing(named.absolute)):
        return sentence
    return _why_unsafe(named)


def _why_unsafe(named: NamedPath) -> str | None:
    if named.purpose is Purpose.LOAD_MODEL and not policy().allows_pickles:
        return weights.refusal(Path(judge(named.absolute, named.purpose).real), deep=False) or None
    return None


def _must_be_there(named: NamedPath) -> bool:
    """Which parts are read, only a worker knows; the lists of a config may be in it already."""
    if named.purpose is Purpose.LOAD_MODEL:
        return named.field in MODELS
    return named.field.endswith((".path", ".prompt_path"))


def missing(path: str) -> str | None:
    """A sentence if a file or folder that will be read does not exist."""
    if exists(path):
        return None
    return _("%(path)s does not exist: check the path, or put the files there first.") % {"path": path[:200]}


def with_absolute_paths(config: JsonObject, reads: Reads | None = None) -> JsonObject:
    """A copy with absolute paths for all that will be read, so that they mean the same in every process."""
    config = copy.deepcopy(config)
    for named in named_paths(config, reads or Reads.of_any()):
        if _is_read(named) and value_at(config, named.field) == named.text:
            config = with_value(config, named.field, named.absolute)
    return config


def checked_paths(config: JsonObject, reads: Reads) -> dict[str, str]:
    """Where each path of a checked config leads, by field: a later process refuses what leads elsewhere."""
    return dict(_real_paths(config, reads))


def _real_paths(config: JsonObject, reads: Reads) -> Iterator[tuple[str, str]]:
    for named in named_paths(config, reads):
        if _is_read(named) or Path(named.text).is_absolute():
            try:
                yield named.field, judge(named.absolute, named.purpose).real
            except Refused:  # it does not apply, or the check has reported it
                continue


def _is_read(named: NamedPath) -> bool:
    return not (named.is_written or named.from_hub or (named.is_default and named.purpose is Purpose.READ_CONFIG))
