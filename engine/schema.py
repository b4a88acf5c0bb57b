"""The JSON Schema of an engine's config, from the engine's bare facts and the descriptions in `fields.toml`. No torch.

The facts have the form in which they are exported from a OneTrainer checkout: {"root": "TrainConfig", "classes": {name:
{"version", "fields": {name: {"type", "default", "nullable", "infinite"?, and any of JSON Schema's four bounds}}}},
"enums": {name: [values]}, "training_methods_by_model_type", "model_formats", "optimizer_parameters"}. An engine may add
"defaults", a whole config, and "model_parts" {model type: [fields]}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine import fields
from engine.interface.json_types import JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
TYPE_NAMES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
INFINITY = {"const": "inf"}
OPTIMIZER = "TrainOptimizerConfig"
UNKNOWN = "unknown"  # the purpose of a text that `fields.toml` does not describe
Facts = JsonObject
Schema = JsonObject


def build(facts: Facts, title: str = "Training config") -> Schema:
    """JSON Schema (draft 2020-12) of a config; a partial config is valid too.

    Beside the standard keywords a leaf has `x-tab`, `x-section`, `x-order`, `x-advanced`, and if there are any
    `x-unit`, `x-kind`, `x-path` (what a path is for: `fields.toml` lists it), `x-labels` (the titles of its choices)
    and `x-applies`: conditions that must all hold for the field to matter, {dotted path: [values]}; a path that begins
    with ./ is a neighbour's in a list's item. `x-void` is the value at which the field alone makes a training void;
    `engine.void` explains it.
    """
    return {
        "$schema": DIALECT,
        "title": title,
        "description": "OneTrainer's training config; omitted fields keep their defaults.",
        "type": "object",
        "properties": _Builder(facts).properties(facts["root"], "", fields.FieldDescription("")),
        "x-tabs": fields.tabs(),
        "x-version": facts["classes"][facts["root"]].get("version", 0),
        "x-training-methods": facts["training_methods_by_model_type"],
        "x-output-formats": list(facts["model_formats"]),
        "x-optimizer-parameters": facts["optimizer_parameters"],
    }


class _Builder:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.classes: JsonObject = facts["classes"]
        self.users = _users(facts["optimizer_parameters"])
        self.models = _users(facts.get("model_parts", {}))
        self.defaults = facts.get("defaults", {})

    def properties(self, owner: str, path: str, above: fields.FieldDescription) -> dict[str, Schema]:
        """The fields of an object; `above` is the field that holds the object."""
        return {
            name: self._property(owner, name, f"{path}.{name}" if path else name, fact, above)
            for name, fact in self.classes[owner]["fields"].items()
        }

    def _property(self, owner: str, name: str, path: str, fact: JsonObject, above: fields.FieldDescription) -> Schema:
        said = self._said(owner, name, path, above)
        described = self._type(fact, path, said)
        described |= {"title": said.title, "description": said.help}
        if said.path and is_text(described):
            described["x-path"] = said.path
        described |= {bound: fact[bound] for bound in BOUNDS if fact.get(bound) is not None}
        if not _holds_object(fact, self.classes):
            described["default"] = self._default(path, fact)
        return described | _extras(said)

    def _default(self, path: str, fact: JsonObject) -> Any:
        """The default in a whole config: the parts of a model are of one class, and differ in some defaults."""
        *above, name = path.split(".")
        owner = value_at(self.defaults, ".".join(above)) if above else self.defaults
        return owner.get(name, fact["default"]) if isinstance(owner, dict) else fact["default"]

    def _said(self, owner: str, name: str, path: str, above: fields.FieldDescription) -> fields.FieldDescription:
        """The field's description, joined with that of the field that holds its object."""
        own = fields.describe(owner, name)
        applies = both(both(above.applies, own.applies), fields.own_conditions(path))
        if path in self.models:
            applies = {**applies, "model_type": self.models[path]}  # a newer engine has newer types of models
        if owner == OPTIMIZER and name in self.users and path == f"optimizer.{name}":
            applies = both(applies, {"optimizer.optimizer": self.users[name]})
        return fields.FieldDescription(
            title=own.title,
            help=own.help,
            unit=own.unit,
            kind=own.kind,
            tab=own.tab or above.tab or "general",
            section=above.title if above.title else own.section or "Other",
            order=own.order,
            advanced=own.advanced,
            applies=applies,
            path=own.path or ("" if fields.is_known(owner, name) else UNKNOWN),
            void=own.void if (only := fields.own_void(path)) is None else only,
        )

    def _type(self, fact: JsonObject, path: str, said: fields.FieldDescription) -> Schema:
        described = self._named_type(fact["type"], path, said)
        if described["type"] == "string" and isinstance(fact["default"], int):
            described["type"] = ["string", "integer"]  # OneTrainer's own default for a port is not text
        if fact.get("nullable") and "type" in described:
            described["type"] = [described["type"], "null"]
            if "enum" in described:
                described["enum"] = [*described["enum"], None]
        return {"anyOf": [described, INFINITY]} if fact.get("infinite") else described

    def _named_type(self, kind: str, path: str, said: fields.FieldDescription) -> Schema:
        if found := re.fullmatch(r"list\[(.+)\]", kind):
            return {"type": "array", "items": self._named_type(found[1], f"{path}.*", said)}
        if found := re.fullmatch(r"dict\[str, (.+)\]", kind):
            return {"type": "object", "additionalProperties": self._named_type(found[1], f"{path}.*", said)}
        if kind in self.classes:
            return {"type": "object", "properties": self.properties(kind, path, said)}
        if kind in self.facts["enums"]:
            choices = list(self.facts["enums"][kind])
            return {"type": "string", "enum": choices, "x-labels": {name: fields.label(name) for name in choices}}
        return {"type": TYPE_NAMES.get(kind, "object")}


def is_text(described: Schema) -> bool:
    """True for a free text, which may be a path; false for choices, numbers, lists and objects."""
    kinds = described.get("type")
    return "enum" not in described and "string" in (kinds if isinstance(kinds, list) else [kinds])


def _extras(said: fields.FieldDescription) -> Schema:
    extras: Schema = {"x-tab": said.tab, "x-section": said.section, "x-order": said.order, "x-advanced": said.advanced}
    optional = {"x-unit": said.unit, "x-kind": said.kind, "x-applies": said.applies, "x-void": said.void}
    return extras | {key: value for key, value in optional.items() if value}


def _holds_object(fact: JsonObject, classes: JsonObject) -> bool:
    return fact["type"] in classes


def both(one: fields.Conditions, other: fields.Conditions) -> fields.Conditions:
    """Conditions that hold if both do."""
    both = dict(one)
    for path, values in other.items():
        both[path] = [value for value in both[path] if value in values] if path in both else values
    return both


def _users(parameters: JsonObject) -> dict[str, list[str]]:
    """Inverted lists: the optimizers of each parameter, the model types of each part."""
    users: dict[str, list[str]] = {}
    for optimizer, own in parameters.items():
        for name in own:
            users.setdefault(name, []).append(optimizer)
    return users


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """(path, property) of each leaf, in the schema's order; `concepts.*.path` for a field of a list's items."""
    for name, described in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        items = described.get("items", {})
        if "properties" in described:
            yield from walk(described, here)
        elif "properties" in items:
            yield here, described
            yield from walk(items, f"{here}.*")
        else:
            yield here, described


def walk_values(schema: Schema, config: JsonObject) -> Iterator[tuple[str, Schema, Any, JsonObject]]:
    """(path, property, value, owner) of each leaf of a config, also in its lists; a missing value is the default.

    The owner is the object that the leaf is in: a part of the model, a list's item, or the config itself.
    """
    for path, described in walk(schema):
        list_path, _, inner = path.partition(".*.")
        if inner:
            items = value_at(config, list_path)
            for index, item in enumerate(items if isinstance(items, list) else ()):
                yield f"{list_path}.{index}.{inner}", described, value_at(item, inner, described.get("default")), item
        else:
            above = path.rpartition(".")[0]
            owner = value_at(config, above, {}) if above else config
            yield path, described, value_at(config, path, described.get("default")), owner


def leaf(schema: Schema, path: str) -> Schema | None:
    """The property at a dotted path, with numbers or * for places in lists; None if there is none."""
    found: Any = schema
    for part in path.split("."):
        inside = found.get("properties", {}).get(part) or found.get("additionalProperties")
        found = found.get("items") if part == "*" or part.isdecimal() else inside
        if not isinstance(found, dict):
            return None
    return found


def applies(described: Schema, config: JsonObject, item: JsonObject | None = None) -> bool:
    """True if a field matters in this config; `item` is the list's item that holds it, for conditions on neighbours."""
    return all(
        value_at(item or {}, path[2:]) in values if path.startswith("./") else value_at(config, path) in values
        for path, values in described.get("x-applies", {}).items()
    )


def value_at(config: Any, path: str, missing: Any = None) -> Any:
    """The value at a dotted path, or `missing`."""
    for part in path.split("."):
        config = value_in(config, part, missing)
    return config


def value_in(owner: Any, part: str, missing: Any = None) -> Any:
    """The value in an object or a list under one part of a path."""
    if isinstance(owner, dict):
        return owner.get(part, missing)
    if isinstance(owner, list) and part.isdecimal() and len(part) < 9 and int(part) < len(owner):
        return owner[int(part)]
    return missing
