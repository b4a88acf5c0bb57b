"""An engine's fields for the editor, compiled once from its schema: kinds, choices, tabs and sections."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from engine.engines import get_engine
from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from engine.schema import value_at, walk

Schema = dict[str, Any]
LEFT_OUT = ("cloud",)  # the tab's help says why; its values in a config are kept
NOT_FIELDS = ("secrets",)  # tokens are saved apart
BROWSE = {"folder": "folder", "file": "file", "save_path": "save", "model": "model"}
MOST_NAMED = 4


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    supported: bool = True


@dataclass(frozen=True)
class Spec:
    """One field as the schema describes it; in `path`, `*` stands for the number of a list's item."""

    path: str
    title: str
    help: str
    kind: str  # switch, maybe (yes, no or unset), choice, integer, number, text, multiline, secret, list, json
    tab: str
    section: str
    order: int
    default: Any = None
    nullable: bool = False
    infinite: bool = False
    advanced: bool = False
    unit: str = ""
    note: str = ""
    browse: str = ""
    choices: tuple[Choice, ...] = ()
    applies: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @functools.cached_property
    def suffix(self) -> str:
        """The unit, unless the title names it already, as “Warm-up steps” does."""
        words = {word.removesuffix("s") for word in self.title.lower().split()}
        return "" if self.unit.lower().removesuffix("s") in words else self.unit

    @functools.cached_property
    def haystack(self) -> str:
        return f"{self.path} {self.path.replace('_', ' ')} {self.title} {self.help} {self.section}".lower()


@dataclass(frozen=True)
class Tab:
    id: str
    title: str
    help: str
    sections: tuple[tuple[str, tuple[Spec, ...]], ...]

    @property
    def specs(self) -> Iterator[Spec]:
        for _title, specs in self.sections:
            yield from specs


@dataclass(frozen=True)
class Form:
    """All tabs and fields of one engine."""

    tabs: tuple[Tab, ...]
    left_out: dict[str, str]  # hidden tabs, with the reason
    specs: dict[str, Spec]  # by path, with the fields of lists' items and of hidden tabs
    schema: Schema

    def tab(self, name: str | None) -> Tab:
        return next((tab for tab in self.tabs if tab.id == name), self.tabs[0])

    def spec_of(self, path: str) -> Spec | None:
        """The field at a path of a config, such as `concepts.0.path`."""
        spec = self.specs.get(path)
        return spec or self.specs.get(".".join("*" if part.isdecimal() else part for part in path.split(".")))

    def nearest(self, path: str) -> Spec | None:
        """The field at the path, else the field above it, else the first field below it."""
        above = path
        while above:
            if spec := self.spec_of(above):
                return spec
            above = above.rpartition(".")[0]
        return next((spec for spec in self.specs.values() if path and spec.path.startswith(f"{path}.")), None)

    def items_of(self, list_path: str) -> list[Spec]:
        """The fields of one item of a list, in order."""
        specs = [spec for path, spec in self.specs.items() if path.startswith(f"{list_path}.*.")]
        return sorted(specs, key=lambda spec: spec.order)

    def default_of(self, spec: Spec, config: JsonObject) -> Any:
        """The default; the defaults of an optimizer's settings follow the chosen optimizer."""
        if not spec.path.startswith("optimizer."):
            return spec.default
        optimizer = keys_of(config).get("optimizer")
        chosen = optimizer.get("optimizer") if isinstance(optimizer, dict) else None
        own = self.schema.get("x-optimizer-parameters", {}).get(chosen, {}) if isinstance(chosen, str) else {}
        return own.get(spec.name, spec.default)


_compiled: dict[tuple[str, str], tuple[Schema, Form]] = {}  # by engine and language


def form_of(engine: str) -> Form:
    """The engine's form in the reader's language; compiled again only if the engine's schema has changed."""
    schema = get_engine(engine).schema()
    key = (engine, get_language() or "")
    known = _compiled.get(key)
    if known is None or known[0] is not schema:
        known = _compiled[key] = (schema, compile_form(schema))
    return known[1]


def compile_form(schema: Schema) -> Form:
    specs = {spec.path: spec for spec in _specs(schema)}
    tabs = schema["x-tabs"]
    shown = tuple(_tab(tab, specs) for tab in tabs if tab["id"] not in LEFT_OUT)
    left_out = {tab["id"]: f"{_words(tab['title'])}: {_words(tab['help'])}" for tab in tabs if tab["id"] in LEFT_OUT}
    return Form(tuple(tab for tab in shown if tab.sections), left_out, specs, schema)


def _tab(described: dict[str, str], specs: dict[str, Spec]) -> Tab:
    sections: dict[str, list[Spec]] = {}
    own = [spec for spec in specs.values() if spec.tab == described["id"] and "*" not in spec.path]
    for spec in sorted(own, key=lambda spec: spec.order):
        sections.setdefault(spec.section, []).append(spec)
    frozen = tuple((title, tuple(fields)) for title, fields in sections.items())
    return Tab(described["id"], _words(described["title"]), _words(described["help"]), frozen)


def _specs(schema: Schema) -> Iterator[Spec]:
    for path, described in walk(schema):
        if path.partition(".")[0] not in NOT_FIELDS:
            yield _spec(path, described)


def _is_list(described: Schema) -> bool:
    return bool(described.get("items", {}).get("properties"))


def _spec(path: str, described: Schema) -> Spec:
    types = _types(described)
    return Spec(
        path=path,
        title=_words(described["title"]),
        help=_words(described["description"]),
        kind=_kind(described, types),
        tab=described["x-tab"],
        section=_words(described["x-section"]),
        order=described["x-order"],
        default=described.get("default"),
        nullable="null" in types,
        infinite={"const": "inf"} in described.get("anyOf", []),
        advanced=described["x-advanced"],
        unit=_words(described.get("x-unit", "")),
        note=_words(described.get("x-note", "")),
        browse=BROWSE.get(described.get("x-kind", ""), ""),
        choices=_choices(described),
        applies=described.get("x-applies", {}),
    )


def _words(text: str) -> str:
    """The text in the reader's language; "" stays, since a catalog's entry for it is the header."""
    return _(text) if text else ""


def _types(described: Schema) -> set[str]:
    names: set[str] = set()
    for described_type in (described, *described.get("anyOf", [])):
        types = described_type.get("type", [])
        names |= {types} if isinstance(types, str) else set(types)
    return names


def _kind(described: Schema, types: set[str]) -> str:
    plain = types - {"null"}
    if "enum" in described or "x-supported" in described:
        return "choice"
    if plain == {"boolean"}:
        return "maybe" if "null" in types else "switch"
    if plain in ({"integer"}, {"number"}):
        return plain.pop()
    if plain == {"string"}:
        own = described.get("x-kind", "")
        return own if own in ("multiline", "secret") else "text"
    return "list" if _is_list(described) else "json"


def _choices(described: Schema) -> tuple[Choice, ...]:
    values: list[Any] = [
        value for value in described.get("enum") or described.get("x-supported") or [] if value is not None
    ]
    supported: list[Any] = described.get("x-supported") or values
    labels: dict[str, str] = described.get("x-labels") or {}
    return tuple(
        Choice(value, _words(labels.get(value, str(value).replace("_", " "))), value in supported) for value in values
    )


def applies(spec: Spec, config: JsonObject, item: JsonObject | None = None) -> bool:
    """Whether the field has an effect with the config's other choices."""
    return all(_chosen(path, config, item) in allowed for path, allowed in spec.applies.items())


def _chosen(path: str, config: JsonObject, item: JsonObject | None) -> Any:
    return value_at(item or {}, path[2:]) if path.startswith("./") else value_at(config, path)


def why_not(spec: Spec, form: Form, config: JsonObject) -> str:
    """Why the field is not shown, as a sentence; empty if the field is shown."""
    if spec.tab in form.left_out:
        return form.left_out[spec.tab]
    if [] in spec.applies.values():
        return _("“%(spec)s” is not shown: it is set by the site or by other fields.") % {"spec": spec.title}
    unmet = [
        _("%(field)s is %(values)s") % {"field": _title(path, form), "values": _one_of(path, allowed, form)}
        for path, allowed in spec.applies.items()
        if not path.startswith("./") and _chosen(path, config, None) not in allowed
    ]
    return (
        _("“%(spec)s” is not shown: it only applies if %(conditions)s.")
        % {"spec": spec.title, "conditions": _(" and ").join(unmet)}
        if unmet
        else ""
    )


def _title(path: str, form: Form) -> str:
    spec = form.spec_of(path)
    return f"“{spec.title if spec else path}”"


def _one_of(path: str, allowed: list[Any], form: Form) -> str:
    spec = form.spec_of(path)
    labels = {choice.value: choice.label for choice in spec.choices} if spec else {}
    words = {True: _("on"), False: _("off"), None: _("empty")}
    names = [labels.get(value) or words.get(value, str(value)) for value in allowed]
    more = len(names) - MOST_NAMED
    if more > 1:
        names = [*names[:MOST_NAMED], _("%(more)s others") % {"more": more}]
    return _(" or ").join(names)
