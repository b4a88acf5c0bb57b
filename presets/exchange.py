"""Presets as files: ours hold several with their names, and OneTrainer's hold one config and are named by the file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError

from presets import configs
from presets.errors import BadInput
from presets.models import Preset, PresetVersion


def to_file(presets: Iterable[Preset]) -> dict[str, Any]:
    """What `from_file` reads."""
    return {
        "presets": [
            {"name": preset.name, "description": preset.description, "config": without_secrets(preset.config)}
            for preset in presets
        ]
    }


def from_file(filename: str, content: bytes) -> list[dict[str, Any]]:
    """The presets in a file, each with name, description and config; raises BadInput naming what is wrong."""
    try:
        data = parse(content)
    except ValueError as error:
        raise BadInput(f"{filename} is not JSON ({error}): export the preset again.") from error
    if not isinstance(data, dict):
        raise BadInput(f"{filename} holds no JSON object: export the preset again.")
    found = data.get("presets", [{"name": PurePath(filename).stem, "config": data}])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise BadInput(f"{filename} holds no list of presets: export them again.")
    return [_checked(filename, item) for item in found]


def parse(content: str | bytes) -> Any:
    """Read JSON that a database takes: without NaN and infinity, and not nested without end; raises ValueError."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is no number in JSON; OneTrainer writes infinity as "inf"')


def without_secrets(config: dict[str, Any]) -> dict[str, Any]:
    """The config without the tokens for hubs and clouds: a page or a file may be passed on."""
    return {field: value for field, value in config.items() if field != "secrets"}


def _checked(filename: str, item: dict[str, Any]) -> dict[str, Any]:
    name, description, config = item.get("name"), item.get("description", ""), item.get("config")
    if not isinstance(name, str) or not isinstance(description, str) or not isinstance(config, dict):
        raise BadInput(f"{filename}: a preset has a name, a description and a config: export it again.")
    try:
        Preset(name=name, description=description).clean_fields(exclude=["config"])
    except ValidationError as error:
        raise BadInput(f"{filename}: {name[:100]!r} is no name for a preset: {' '.join(error.messages)}") from error
    problems = {problem.field: [problem.message] for problem in configs.validate_preset(config) if problem.is_error}
    if problems:
        field, messages = next(iter(problems.items()))
        raise BadInput(f"{filename}, {name}: {field}: {messages[0]}", problems)
    return {"name": name, "description": description, "config": config}


def save_imported(item: dict[str, Any], by: Any) -> PresetVersion:
    """Make it a preset, or a new version of the one that has its name already."""
    preset, _ = Preset.objects.get_or_create(
        name=item["name"], defaults={"description": item["description"], "owner": by}
    )
    return preset.save_version(item["config"], by=by, note="imported")
