"""Configs, and lists of concepts or samples, in files of the server; what else such a file holds is left there."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.config import schema as builtin_schema
from engine.engines import ENGINES, Unavailable
from engine.interface.json_files import BadValue
from engine.interface.json_types import JsonObject
from engine.interface.paths import exists
from engine.paths.policy import Purpose, Refused
from presets.config.intake import take_in
from presets.config.migrate import migrate_concepts
from presets.foreign.recognizing import is_foreign
from presets.foreign.text_forms import read_text
from web.errors import BadInput
from web.paths.site import judge, opened, sentence

MAX_CONFIG_BYTES = 5_000_000
FILES_OF_LISTS = {"concepts": "concept_file_name", "samples": "sample_definition_file_name"}
Config = JsonObject


def load_config_file(path: str) -> Config:
    """Read a config file below an allowed root, also of another trainer: JSON, TOML or YAML.

    Raises BadInput with a sentence, never with the file's content: also for a file that is no config. Keys that no
    engine knows are left out, so that no other program's secrets end up in a run.
    """
    content: Config = read_json(path, dict, "config_path")
    if is_foreign(content):
        return content
    config = take_in(content).config
    known = only_known(config, schemas())
    unknown = len(config.keys() - known.keys())
    if not known.keys() - {"__version"} or unknown > len(known):
        raise _bad_path("config_path", _("%(path)s is not a training config: name a config file.") % {"path": path})
    return content if known == config else known


def with_inline_files(config: Config) -> Config:
    """A copy of the config in which concepts and samples from separate files are part of the config.

    So a run's frozen config is whole, and the paths in those files are checked like all others. A missing file is
    left to the engine's check, since OneTrainer's defaults name files that need not exist.
    """
    config = dict(config)
    for field, file_field in FILES_OF_LISTS.items():
        path = config.get(file_field)
        if not config.get(field) and isinstance(path, str) and path and _may_be_read(path, file_field):
            config[field] = _read_list(path, field, file_field)
    return config


def _may_be_read(path: str, file_field: str) -> bool:
    """Whether the file is there. A file that may not be read raises BadInput."""
    if path == builtin_schema.defaults()[file_field] and not exists(str(settings.BASE_DIR / path)):
        return False
    try:
        return read_json(path, list, file_field) is not None
    except FileNotFoundError:
        return False


def _read_list(path: str, field: str, file_field: str) -> list[Any]:
    found = read_json(path, list, file_field)
    found = migrate_concepts(found) if field == "concepts" else found
    lists = [schema["properties"][field]["items"] for schema in schemas() if field in schema["properties"]]
    kept = [only_known(item, lists) for item in found]
    if not all(isinstance(item, dict) and item for item in kept):
        text = _("%(path)s is not a list of %(field)s: name another file.") % {"path": path, "field": field}
        raise _bad_path(file_field, text)
    return kept


def schemas() -> list[JsonObject]:
    """The schemas of all engines that can be asked now."""
    found = []
    for engine in ENGINES.values():
        try:
            found.append(engine.schema())
        except Unavailable:
            continue
    return found


def only_known(value: Any, known: list[JsonObject]) -> Any:
    """The value without the keys that none of the schemas has, on any level."""
    if isinstance(value, dict):
        kept = {key: only_known(item, inner) for key, item in value.items() if (inner := _inside(key, known))}
        return {key: value[key] for key in ("__version",) if key in value} | kept
    if isinstance(value, list):
        items = [schema["items"] for schema in known if "items" in schema]
        return [only_known(item, items) for item in value]
    return value


def _inside(key: str, known: list[JsonObject]) -> list[JsonObject]:
    found = [schema.get("properties", {}).get(key) or schema.get("additionalProperties") for schema in known]
    return [schema for schema in found if isinstance(schema, dict)]


def read_json(path: str, kind: type, field: str) -> Any:
    """The JSON object or list in a file below an allowed root; `field` names the path's field in errors.

    Raises BadInput, and FileNotFoundError for a list's file that is not there.
    """
    if not isinstance(path, str) or not path:
        raise _bad_path(field, _("Name the file's path as a string."))
    content = _parse(path, field, is_optional=kind is list)
    if not isinstance(content, kind):
        raise _bad_path(
            field,
            _("%(path)s does not contain a JSON %(kind)s: export it again.")
            % {"path": path, "kind": "object" if kind is dict else "list"},
        )
    return content


def _parse(path: str, field: str, is_optional: bool) -> Any:
    name = path.rpartition("/")[2]
    try:
        return read_text(_read(path, field), name)
    except Refused as refused:
        raise _bad_path(field, sentence(refused)) from refused
    except OSError as error:
        if is_optional and isinstance(error, FileNotFoundError):
            raise
        raise _bad_path(
            field, _("%(path)s cannot be read (%(error)s): check the path.") % {"path": path, "error": error.strerror}
        ) from error
    except ValueError as error:
        form = {"toml": "TOML", "yaml": "YAML", "yml": "YAML"}.get(name.rpartition(".")[2].lower(), "JSON")
        facts = {"path": path, "form": form, "reason": _reason(error)}
        text = _("%(path)s is not valid %(form)s%(reason)s: export the config again.") % facts
        raise _bad_path(field, text) from error


def _reason(error: ValueError) -> str:
    """What is wrong with a file, in brackets, without any of its content; empty if that is not known."""
    if isinstance(error, BadValue):
        return f" ({error.reason})"
    if isinstance(error, json.JSONDecodeError):
        return _(" (line %(line)s, column %(column)s)") % {"line": error.lineno, "column": error.colno}
    return ""


def _read(path: str, field: str) -> bytes:
    """The file as it was judged. Raises Refused, OSError and BadInput."""
    with opened(judge(path, Purpose.READ_CONFIG).real, Purpose.READ_CONFIG) as file:
        content = file.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise _bad_path(
            field,
            _("%(path)s is larger than %(max_config_bytes)s MB: this is not a config file.")
            % {"path": path, "max_config_bytes": MAX_CONFIG_BYTES // 1_000_000},
        )
    return content


def _bad_path(field: str, text: str) -> BadInput:
    return BadInput(text, {field: [text]})
