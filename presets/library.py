"""What people do with presets: one place for the API, the pages and the admin."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from presets import configs
from presets.errors import BadInput, NotFound
from presets.exchange import without_secrets
from presets.models import Preset, PresetVersion


def find_preset(name: str) -> Preset:
    """The preset of this name among those that are offered; raises NotFound."""
    preset = Preset.objects.listed().filter(name=name).first()
    if preset is None:
        raise NotFound(f"There is no preset named “{name[:200]}”: see /api/config/list.")
    return preset


def save_preset(name: str, config: dict[str, Any], by: Any = None, note: str = "", engine: str = "builtin") -> Preset:
    """Make `config` the preset of this name, as a new version where there is one; raises BadInput.

    Only what differs from the engine's defaults is kept, so a full config can be saved as it is.
    """
    partial = _checked(config, engine)
    _check_name(name)
    with transaction.atomic():
        preset, _ = Preset.objects.get_or_create(name=name, defaults={"owner": by})
        if preset.archived:
            preset.archived = False
            preset.save(update_fields=["archived"])
        preset.save_version(partial, by=by, note=note)
    return preset


@transaction.atomic
def change_preset(preset: Preset, changes: dict[str, Any], by: Any = None) -> Preset:
    """Set name, description and archived; a new config becomes a new version. Raises BadInput."""
    changes = dict(changes)
    config, note = changes.pop("config", None), changes.pop("note", "")
    if "name" in changes:
        _check_name(changes["name"])
    for field, value in changes.items():
        setattr(preset, field, value)
    try:
        with transaction.atomic():
            preset.save()
    except IntegrityError as error:
        raise _taken(changes["name"]) from error
    if config is not None:
        preset.save_version(_checked(config), by=by, note=note)
    return preset


def create_preset(facts: dict[str, Any], by: Any = None) -> Preset:
    """A new preset from its name, config, description and note; raises BadInput, also where the name is taken."""
    if Preset.objects.filter(name=facts["name"]).exists():
        raise _taken(facts["name"])
    return change_preset(Preset(owner=by), facts, by=by)


def versions_between(preset: Preset, before: int, after: int) -> list[dict[str, Any]]:
    """The fields that differ between two versions; version 0 is the engine's defaults. Raises NotFound."""
    return configs.flat_difference(_content(preset, before), _content(preset, after))


def _content(preset: Preset, number: int) -> dict[str, Any]:
    return configs.full_config("builtin", find_version(preset, number).config) if number else configs.defaults()


def find_version(preset: Preset, number: int) -> PresetVersion:
    version = preset.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"“{preset.name}” has no version {number}: it has 1 to {preset.version}.")
    return version


def _checked(config: dict[str, Any], engine: str = "builtin") -> dict[str, Any]:
    partial = configs.difference(without_secrets(config), configs.defaults(engine))
    configs.refuse_errors(configs.validate_preset(partial, engine))
    return partial


def _check_name(name: str) -> None:
    try:
        Preset(name=name).clean_fields(exclude=["config"])
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), {"name": error.messages}) from error


def _taken(name: str) -> BadInput:
    sentence = f"There is a preset named “{name}” already: choose another name."
    return BadInput(sentence, {"name": [sentence]})
