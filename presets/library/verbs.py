"""The actions on presets, for the API, the pages and the admin."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.intake import take_in
from presets.models import Preset, PresetVersion
from web.errors import BadInput, NotFound


def find_preset(name: str) -> Preset:
    """The preset of this name that is not archived; raises NotFound."""
    preset = Preset.objects.listed().filter(name=name).first()
    if preset is None:
        raise NotFound(_("There is no preset named “%(value)s”: see /api/config/list.") % {"value": name[:200]})
    return preset


def save_preset(
    name: str, config: JsonObject, by: User | None = None, note: str = "", engine: str = "builtin"
) -> Preset:
    """Save `config` as the preset of this name, or as a new version of an existing preset; raises BadInput.

    Only fields that differ from the engine's defaults are saved, so `config` may be a full config.
    """
    partial = _checked(config, engine)
    _check_name(name)
    with transaction.atomic():
        preset, _made = Preset.objects.get_or_create(name=name, defaults={"owner": by})
        _refuse_read_only(preset)
        if preset.archived:
            preset.archived = False
            preset.save(update_fields=["archived"])
        preset.save_version(partial, by=by, note=note)
    return preset


@transaction.atomic
def change_preset(preset: Preset, changes: JsonObject, by: User | None = None) -> Preset:
    """Set name, description and archived; a new config becomes a new version. Raises BadInput."""
    changes = dict(changes)
    config, note = changes.pop("config", None), changes.pop("note", "")
    if config is not None or changes.keys() - {"archived"}:
        _refuse_read_only(preset)
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


def create_preset(facts: JsonObject, by: User | None = None) -> Preset:
    """Create a preset from its name, config, description and note; raises BadInput, also if the name is taken."""
    if Preset.objects.filter(name=facts["name"]).exists():
        raise _taken(facts["name"])
    return change_preset(Preset(owner=by), facts, by=by)


def revert(preset: Preset, number: int, by: User | None = None) -> Preset:
    """Restore an earlier version as a new version; raises NotFound."""
    version = find_version(preset, number)
    _refuse_read_only(preset)
    preset.save_version(version.config, by=by, note=f"as in version {number}")
    return preset


def duplicate(preset: Preset, by: User | None = None) -> Preset:
    """Copy a preset to a preset of the user, under the next free name."""
    names = (f"{preset.name} (copy{f' {number}' if number > 1 else ''})" for number in itertools.count(1))
    name = next(name for name in names if not Preset.objects.filter(name=name).exists())
    return create_preset({"name": name, "description": preset.description, "config": preset.config}, by=by)


def remove(preset: Preset) -> bool:
    """Delete a preset, or archive it if runs refer to it, to keep their history; returns whether it was deleted."""
    _refuse_read_only(preset)
    if preset.runs.exists():
        preset.archived = True
        preset.save(update_fields=["archived"])
        return False
    preset.delete()
    return True


def set_favourite(preset: Preset, user: User, favourite: bool) -> None:
    """Mark a preset as the user's favourite, or remove the mark."""
    if favourite:
        preset.favourite_of.add(user)
    else:
        preset.favourite_of.remove(user)


def changed_since(preset: Preset, run: Any) -> list[JsonObject]:
    """The fields in which the preset now differs from the version that a run used."""
    used = run.preset_version
    return versions_between(preset, used.number, preset.version) if used and used.preset_id == preset.pk else []


def versions_between(preset: Preset, before: int, after: int) -> list[JsonObject]:
    """The fields that differ between two versions; version 0 stands for the engine's defaults. Raises NotFound."""
    return configs.flat_difference(_content(preset, before), _content(preset, after))


def _content(preset: Preset, number: int) -> JsonObject:
    return configs.full_config("builtin", find_version(preset, number).config) if number else configs.defaults()


def find_version(preset: Preset, number: int) -> PresetVersion:
    version = preset.versions.filter(number=number).first()
    if version is None:
        raise NotFound(
            _("“%(preset)s” has no version %(number)s: it has 1 to %(version)s.")
            % {"preset": preset.name, "number": number, "version": preset.version}
        )
    return version


def _checked(config: JsonObject, engine: str = "builtin") -> JsonObject:
    partial = configs.difference(without_secrets(take_in(config).config), configs.defaults(engine))
    configs.refuse_errors(configs.check_form(partial))
    return partial


def _refuse_read_only(preset: Preset) -> None:
    if preset.is_read_only:
        sentence = _("“%(preset)s” comes with the program and is read-only: save your changes under another name.") % {
            "preset": preset.name
        }
        raise BadInput(sentence, {"name": [sentence]})


def _check_name(name: str) -> None:
    try:
        Preset(name=name).clean_fields(exclude=["config"])
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), {"name": error.messages}) from error


def _taken(name: str) -> BadInput:
    sentence = _("A preset with the name “%(name)s” exists already: choose another name.") % {"name": name}
    return BadInput(sentence, {"name": [sentence]})
