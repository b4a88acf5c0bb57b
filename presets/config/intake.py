"""The way in for every config, wherever it comes from: a request, a file, an import, text that was pasted.

A config of another trainer is translated, a config of an older OneTrainer is migrated, and numbers in quotes are read
as numbers; a note reports each change. A config of the present form passes unchanged.
"""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from engine.builtin.config.quoted import unquoted
from engine.builtin.config.settings import VERSION_KEY
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from presets.config.migrate import migrate, version_of
from presets.foreign.recognizing import translation_of
from web.errors import BadInput


@dataclass(frozen=True)
class TakenIn:
    """A config of the present form; `notes` are warnings for the sender, `tool` is the other trainer, or empty."""

    config: Any
    notes: list[Problem] = field(default_factory=list)
    tool: str = ""

    @property
    def sentences(self) -> list[str]:
        """The notes for a list without fields."""
        return [as_sentence(note) for note in self.notes]


def as_sentence(note: Problem) -> str:
    """A note with its subject: the field, or the config."""
    subject = _("It") if note.field in ("", VERSION_KEY) else note.field
    return note.message if note.message.endswith(".") else f"{subject} {note.message}."


def take_in(content: Any) -> TakenIn:
    """The config in the present form. Raises BadInput if it claims a version whose form it does not have.

    Data that is no object is returned as it is: the check of the config names the problem.
    """
    notes: list[Problem] = []
    if translation := translation_of(content):
        content = translation.config
        text = _("is a config of %(tool)s, and was translated: check the result") % {"tool": translation.tool}
        notes = [Problem("", text, "warning"), *(Problem("", note, "warning") for note in translation.notes)]
    if not isinstance(content, dict):
        return TakenIn(content)
    migrated, about_version = _migrated(content)
    about_quotes: list[Problem] = []
    config = unquoted(migrated, TrainConfig, about_quotes)
    return TakenIn(config, [*notes, *about_version, *about_quotes], translation.tool if translation else "")


def _migrated(config: JsonObject) -> tuple[JsonObject, list[Problem]]:
    version, present = version_of(config), TrainConfig.json_version
    if version is None:
        return config, []
    try:
        if version >= present:
            return migrate(config), _about_newer(version)
        # copied, since the cache hands out the same object again
        migrated = copy.deepcopy(_migrated_text(json.dumps(config)))
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        sentence = _(
            "The config claims to be of version %(version)s, but does not have that version's form (%(error)s): export "
            "it again."
        ) % {"version": version, "error": str(error)[:200]}
        raise BadInput(sentence, {"__version": [sentence]}) from error
    text = _("was migrated from version %(version)s to %(present)s") % {"version": version, "present": present}
    return migrated, [Problem("__version", text, "warning")]


def _about_newer(version: int) -> list[Problem]:
    if version <= TrainConfig.json_version:
        return []
    text = _("is of a newer version (%(version)s); unknown fields are kept, without effect") % {"version": version}
    return [Problem("__version", text, "warning")]


@functools.lru_cache(maxsize=32)  # an installed OneTrainer migrates by a process of its own, which takes seconds
def _migrated_text(config: str) -> JsonObject:
    return migrate(json.loads(config))
