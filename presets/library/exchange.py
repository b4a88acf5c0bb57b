"""Presets as files: ours contain several named presets, OneTrainer's contain one config and are named by the file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.settings import VERSION_KEY, to_json
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.dotted import MISSING, with_value
from presets.config.intake import take_in
from presets.foreign.recognizing import is_foreign
from presets.foreign.text_forms import read_text
from presets.models import Preset, PresetVersion
from web import archives
from web.errors import BadInput

OWN_FIELDS = ("seed",)  # a field of the built-in trainer, unknown to OneTrainer
MOST_FILE_BYTES = 5_000_000
MOST_ZIP_BYTES = 20_000_000


@dataclass
class UploadedPreset:
    """A validated preset from a file; `notes` are messages for the person who imports it."""

    name: str
    config: JsonObject
    description: str = ""
    notes: list[str] = field(default_factory=list)


def to_file(presets: Iterable[Preset]) -> JsonObject:
    """The presets as JSON data, which `from_file` reads."""
    return {
        "presets": [
            {"name": preset.name, "description": preset.description, "config": without_secrets(preset.config)}
            for preset in presets
        ]
    }


def to_onetrainer(config: JsonObject) -> JsonObject:
    """A partial config as a file that OneTrainer's desktop program opens.

    The file has its version, so that nothing is migrated. The optimizer's settings are also in `optimizer_defaults`,
    since the desktop program reads them from there when it opens a file.
    """
    file = {key: value for key, value in without_secrets(config).items() if key not in OWN_FIELDS}
    optimizer = dict(file.get("optimizer") or {})
    if len(optimizer) > 1:
        name = optimizer.get("optimizer", "ADAMW")
        own = {**to_json(OPTIMIZER_DEFAULTS.get(name, {})), **optimizer, "optimizer": name}
        file["optimizer"] = own
        file["optimizer_defaults"] = {**(file.get("optimizer_defaults") or {}), name: own}
    if isinstance(file.get("concepts"), list):
        version = ConceptConfig.json_version
        file["concepts"] = [
            {VERSION_KEY: version, **concept} if isinstance(concept, dict) else concept for concept in file["concepts"]
        ]
    return {VERSION_KEY: TrainConfig.json_version, **{key: file[key] for key in file if key != VERSION_KEY}}


def read_uploads(files: Iterable[Any]) -> list[tuple[str, bytes]]:
    """(name, content) of files that were uploaded in a form; raises BadInput if they are too large or too many."""
    uploads = list(files)
    if len(uploads) > archives.MOST_FILES:
        raise BadInput(
            _("There are %(uploads)s files: import at most %(most_files)s at once.")
            % {"uploads": len(uploads), "most_files": archives.MOST_FILES}
        )
    for file in uploads:
        most = MOST_ZIP_BYTES if file.name.lower().endswith(".zip") else MOST_FILE_BYTES
        if file.size > most:
            raise BadInput(
                _("%(file)s is larger than %(most)s MB: this is not a preset.")
                % {"file": file.name, "most": most // 1_000_000}
            )
    return [(file.name, file.read()) for file in uploads]


def from_upload(filename: str, content: bytes, folder: str = "") -> list[UploadedPreset]:
    """The presets in an uploaded file or zip; raises BadInput with the file's name and problem."""
    if not archives.is_zip(content):
        return from_file(filename, content, folder)
    if len(content) > MOST_ZIP_BYTES:
        raise BadInput(
            _("%(filename)s is larger than %(most_zip_bytes)s MB: import fewer presets at once.")
            % {"filename": filename, "most_zip_bytes": MOST_ZIP_BYTES // 1_000_000}
        )
    presets = [
        preset for path, inner in archives.unpack(filename, content) for preset in from_file(path, inner, folder)
    ]
    if not presets:
        raise BadInput(
            _("%(filename)s contains no JSON, TOML or YAML files: pack presets into it.") % {"filename": filename}
        )
    return presets


def from_file(filename: str, content: bytes, folder: str = "") -> list[UploadedPreset]:
    """The presets in a file: ours, or a config of OneTrainer or another trainer, which is named after its file."""
    try:
        data = read_text(content, filename)
    except ValueError as error:
        form = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}.get(PurePosixPath(filename).suffix.lower(), "JSON")
        raise BadInput(
            _("%(filename)s is not valid %(form)s (%(error)s): export the preset again.")
            % {"filename": filename, "form": form, "error": error}
        ) from error
    if is_foreign(data):
        return [_checked(filename, {"name": _name_of(filename, folder), "config": data})]
    if not isinstance(data, dict):
        raise BadInput(
            _("%(filename)s does not contain a JSON object: export the preset again.") % {"filename": filename}
        )
    alone = data if {"name", "config"} <= data.keys() else {"name": _name_of(filename, folder), "config": data}
    items = data.get("presets", [alone])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadInput(
            _("%(filename)s does not contain a list of presets: export them again.") % {"filename": filename}
        )
    return [_checked(filename, item) for item in items]


def _name_of(filename: str, folder: str) -> str:
    """`SDXL/LoRA` for a file #LoRA.json in a folder SDXL; the # only marks OneTrainer's own files."""
    path = PurePosixPath(filename.replace("\\", "/"))
    folder = folder or path.parent.name
    name = path.stem.removeprefix("#").strip() or path.stem
    return f"{folder}/{name}" if folder else name


def refuse_twins(presets: list[UploadedPreset]) -> None:
    """Raise BadInput if two files of one import would become the same preset."""
    names = [preset.name for preset in presets]
    twin = next((name for name in names if names.count(name) > 1), None)
    if twin:
        raise BadInput(_("Two of these presets would have the name “%(twin)s”: rename one of them.") % {"twin": twin})


def _checked(filename: str, item: JsonObject) -> UploadedPreset:
    name, description, config = item.get("name"), item.get("description", ""), item.get("config")
    foreign = is_foreign(config)
    if not isinstance(name, str) or not isinstance(description, str) or not (isinstance(config, dict) or foreign):
        raise BadInput(
            _("%(filename)s: a preset must have a name, a description and a config: export it again.")
            % {"filename": filename}
        )
    try:
        Preset(name=name, description=description).clean_fields(exclude=["config"])
    except ValidationError as error:
        raise BadInput(f"{filename}: {name[:100]!r} is not a preset's name:  {' '.join(error.messages)}") from error
    preset = _take_in(name, description, config)
    problems = configs.check_form(preset.config)
    if foreign:
        problems = _leave_out_errors(preset, problems)
    errors = {problem.field: [problem.message] for problem in problems if problem.is_error}
    if errors:
        wrong, messages = next(iter(errors.items()))
        raise BadInput(f"{filename}, {name}: {wrong}: {messages[0]}", errors)
    preset.notes += [f"{problem.field} {problem.message}." for problem in problems]
    return preset


def _leave_out_errors(preset: UploadedPreset, problems: list[Problem]) -> list[Problem]:
    """Remove what cannot be used here, such as paths of another machine, with a note; return the other problems."""
    for problem in problems:
        if problem.is_error:
            with suppress(BadInput):
                preset.config = with_value(preset.config, problem.field, MISSING)
            preset.notes.append(f"{problem.field} was left out: {problem.message}")
    return configs.check_form(preset.config)


def _take_in(name: str, description: str, config: Any) -> UploadedPreset:
    """The config in the present version's form, as OneTrainer itself would load it, without tokens."""
    notes = []
    if configs.secret_fields(config):
        notes.append(_("Its tokens were left out: set yours on the account page."))
    try:
        taken = take_in(without_secrets(config) if isinstance(config, dict) else config)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error
    notes += taken.sentences
    config = {key: value for key, value in taken.config.items() if key != VERSION_KEY}
    return UploadedPreset(name, _with_own_optimizer(config), description, notes)


def _with_own_optimizer(config: JsonObject) -> JsonObject:
    """Fill in the optimizer's settings from the file's own defaults for that optimizer, as OneTrainer does."""
    optimizer, own = config.get("optimizer"), config.get("optimizer_defaults")
    if not isinstance(optimizer, dict) or not isinstance(own, dict):
        return config
    name = optimizer.get("optimizer", "ADAMW")
    saved = own.get(name) if isinstance(name, str) else None
    if not isinstance(saved, dict):
        return config
    filled = {key: value for key, value in {**optimizer, **saved}.items() if key != VERSION_KEY}
    return {**config, "optimizer": filled}


def save_imported(uploaded: UploadedPreset, by: User | None) -> PresetVersion:
    """Save a preset, or a new version of the existing preset of this name; raises BadInput if that is read-only.

    Fields that equal the engine's defaults are left out, as everywhere. A file without changes adds no version.
    """
    config = configs.difference(uploaded.config, configs.defaults())
    preset, created = Preset.objects.get_or_create(
        name=uploaded.name, defaults={"description": uploaded.description, "owner": by}
    )
    if preset.is_read_only:
        raise BadInput(
            _("“%(preset)s” comes with the program and cannot be replaced: rename the file.") % {"preset": preset.name}
        )
    newest = preset.versions.first()
    if not created and newest is not None and newest.config == config and not preset.archived:
        return newest
    if preset.archived:
        preset.archived = False
        preset.save(update_fields=["archived"])
    return preset.save_version(config, by=by, note="imported")
