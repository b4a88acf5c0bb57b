"""The lists of a config as the editor shows them: an item is a line, and its fields where it is open."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.http import urlencode

from engine.interface.errors import Problem
from engine.schema import value_at
from presets.editor.fields import Field
from presets.editor.form import Form, Spec
from presets.editor.list_verbs import KINDS, SHAPES, ListKind, file_of, items_of
from presets.models import Draft
from web.errors import BadInput

ITEM = re.compile(r"([a-z_]+)\.(\d{1,4})")
LONGEST_LINE = 160


@dataclass(frozen=True)
class PagePart:
    """A piece of the page that is drawn again by itself when its state differs from the one that the page has."""

    path: str
    state: str
    template: str
    context: dict[str, Any]


class EditorOfLists(Protocol):
    """What a list needs of the editor that shows it."""

    draft: Draft
    opened: frozenset[str]
    form: Form

    @property
    def problems(self) -> list[Problem]: ...

    def field(self, spec: Spec, path: str = "") -> Field: ...


class ListField:
    """A list with its items; `problem` says why there are none to show."""

    def __init__(self, editor: EditorOfLists, field: Field):
        self.editor, self.field = editor, field
        self.kind: ListKind = KINDS[field.path]
        self.ratios = [(ratio, ratio.replace("x", ":")) for ratio in SHAPES] if self.kind.field == "samples" else []

    @property
    def is_list(self) -> bool:
        return True

    @functools.cached_property
    def file(self) -> str:
        return file_of(self.editor.draft, self.field.path)

    @functools.cached_property
    def _found(self) -> tuple[list[Any], str]:
        try:
            return items_of(self.editor.draft, self.field.path), ""
        except BadInput as error:
            return [], next(iter(error.errors.values()), [str(error)])[0]

    @property
    def problem(self) -> str:
        return self._found[1]

    @property
    def count_in_file(self) -> int:
        return len(self._found[0])

    @functools.cached_property
    def items(self) -> list[ListItem]:
        """Those of the config; what lies in a file is only counted, until it is taken in."""
        return [] if self.file else [ListItem(self, index, value) for index, value in enumerate(self._found[0])]

    @property
    def state(self) -> str:
        about = (len(self.items), self.file, self.count_in_file, self.problem, self.field.why_not, self.field.errors)
        return _state(about)

    @property
    def parts(self) -> Iterator[PagePart]:
        """The list as a whole, and all that is drawn by itself within it."""
        yield PagePart(self.field.path, self.state, "list", {"list": self, "field": self.field})
        for item in self.items:
            yield PagePart(f"{item.path}:head", item.state, "list_head", {"item": item})
            yield PagePart(f"{item.path}:body", item.body_state, "list_body", {"item": item})
            if item.is_open and item.preview:
                yield PagePart(f"{item.path}:preview", item.preview_state, "list_preview", {"item": item})

    @property
    def item_fields(self) -> Iterator[Field]:
        for item in self.items:
            if item.is_open:
                for _title, fields in item.sections:
                    yield from fields


class ListItem:
    """One concept, sample or embedding."""

    def __init__(self, owner: ListField, index: int, value: Any):
        self.list, self.index = owner, index
        self.value = value if isinstance(value, dict) else {}
        self.is_object = isinstance(value, dict)
        self.path = f"{owner.field.path}.{index}"
        self.id = f"{owner.field.path}-{index}"

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def is_open(self) -> bool:
        return self.path in self.list.editor.opened

    @property
    def on(self) -> bool:
        return self.value.get(self.list.kind.switch, True) is True

    @property
    def before(self) -> int | None:
        return self.index - 1 if self.index else None

    @property
    def after(self) -> int | None:
        return self.index + 1 if self.number < len(self.list.items) else None

    @property
    def title(self) -> str:
        kind = self.list.kind
        named = {"concepts": ("name",), "samples": ("prompt",)}.get(kind.field, ("placeholder",))
        text = next((str(self.value[name]) for name in named if self.value.get(name)), "")
        if not self.is_object:
            return "This is no object: mend it in the JSON, or remove it"
        return " ".join(text.split())[:LONGEST_LINE] or f"{kind.one.capitalize()} {self.number}"

    @property
    def facts(self) -> str:
        """A second line: where a concept's pictures lie, or how a sample is drawn."""
        if self.list.kind.field == "concepts":
            return str(self.value.get("path") or "No folder chosen yet")[:LONGEST_LINE]
        if self.list.kind.field == "samples":
            shape = [str(self._shown(name)) for name in ("width", "height")]
            seed = "random seed" if self._shown("random_seed") is True else f"seed {self._shown('seed')}"
            return f"{' × '.join(shape)}, {self._shown('diffusion_steps')} steps, {seed}"[:LONGEST_LINE]
        return str(self.value.get("model_name") or "")[:LONGEST_LINE]

    def _shown(self, name: str) -> Any:
        spec = self.list.editor.form.specs.get(f"{self.list.field.path}.*.{name}")
        return self.value.get(name, spec.default if spec else None)

    @property
    def errors(self) -> int:
        return sum(one.is_error and f"{one.field}.".startswith(f"{self.path}.") for one in self.list.editor.problems)

    @property
    def preview(self) -> str:
        """The address of what the concept's folder holds."""
        path = self.value.get("path")
        if self.list.kind.field != "concepts" or not isinstance(path, str) or not path:
            return ""
        asked = {"path": path.encode(errors="ignore").decode()}
        if self.value.get("include_subdirectories") is True:
            asked["include_subdirectories"] = "true"
        for name in ("prompt_source", "prompt_path"):
            given = value_at(self.value, f"text.{name}")
            if isinstance(given, str) and given:
                asked[name] = given.encode(errors="ignore").decode()
        return urlencode(asked)

    @functools.cached_property
    def sections(self) -> list[tuple[str, list[Field]]]:
        """Its fields by section, but for the switch, which stands in its line."""
        editor, list_path = self.list.editor, self.list.field.path
        grouped: dict[str, list[Field]] = {}
        for spec in editor.form.items_of(list_path):
            if spec.path != f"{list_path}.*.{self.list.kind.switch}":
                path = spec.path.replace("*", str(self.index), 1)
                grouped.setdefault(spec.section, []).append(editor.field(spec, path))
        return list(grouped.items())

    @property
    def state(self) -> str:
        about = (self.title, self.facts, self.on, self.is_open, self.errors, self.preview, len(self.list.items))
        return _state(about)

    @property
    def body_state(self) -> str:
        return "open" if self.is_open else "closed"

    @property
    def preview_state(self) -> str:
        return _state(self.preview)


def _state(seen: Any) -> str:
    return f"{zlib.crc32(repr(seen).encode()):x}"


def paths_of_items(given: Any) -> set[str]:
    """Which items are open, as the page tells it; what makes no sense is left out."""
    if not isinstance(given, list):
        return set()
    return {one for one in given if isinstance(one, str) and (found := ITEM.fullmatch(one)) and found[1] in KINDS}


def opened_after(opened: Iterable[str], command: str, count: int) -> set[str]:
    """The items that are open after a step on a list of `count` items: the same ones, and a single new one."""
    field, verb, *arguments = command.split(":")
    numbers = [int(one) for one in arguments if one.isdecimal()]
    order: list[int | None] = [*range(count)]
    if verb == "add":
        order.append(None)
    elif verb == "clone":
        order.insert(numbers[0] + 1, None)
    elif verb == "remove":
        del order[numbers[0]]
    elif verb == "move":
        order.insert(numbers[1], order.pop(numbers[0]))
    opened = set(opened)
    others = {one for one in opened if not one.startswith(f"{field}.")}
    return others | {f"{field}.{new}" for new, old in enumerate(order) if old is None or f"{field}.{old}" in opened}
